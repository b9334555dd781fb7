// Package browsertest has the tests of what cmd/scriptix writes for a browser,
// in a module of its own, so that the command line does not depend on a
// browser's driver.
//
// With PAGE_PICTURES set to a folder, the tests leave there what they saw.
package browsertest
