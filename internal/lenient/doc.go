// Package lenient is the one entry for bytes that come from outside: from the
// service, from the proxies before it, and with callbacks. It reads them as they
// are meant, not as they ought to be written.
//
// [Read] takes the body of an answer. It undoes the content codings, keeps no more
// than the caller has room for, and finds the end of the JSON object with which
// the body begins, so that one that is cut behind it, or goes on, still counts. A
// [Gate] bounds how many bytes of large answers are at hand at once.
//
// [Object], [Unwrap], [Members] and [Elements] take JSON apart without copying it,
// because a result may be as long as 256 MiB. [Scalar], [ID], [Number], [Seconds]
// and the like read one value, whether it came as a number or as a text. A value
// that cannot be read is the zero value, and never costs those beside it.
//
// [Refuse] finds the code, the message and the fields at fault in the body of an
// error, whichever of the known shapes it has. [RetryAfter] reads how long to wait.
package lenient
