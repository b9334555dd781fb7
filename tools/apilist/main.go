// Command apilist writes down what each package of the module in the current
// directory exports, a line for each name, so that a change of the public API
// is seen in a diff. Packages named internal, programs and examples are left out.
//
//	GOWORK=off go run ../tools/apilist > ../api/module.txt
package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/types"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "apilist:", err)
		os.Exit(1)
	}
}

func run(w io.Writer) error {
	const need = packages.NeedName | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedSyntax | packages.NeedImports | packages.NeedDeps
	loaded, err := packages.Load(&packages.Config{Mode: need}, "./...")
	if err != nil {
		return err
	}
	slices.SortFunc(loaded, func(a, b *packages.Package) int { return cmp.Compare(a.PkgPath, b.PkgPath) })
	for _, pkg := range loaded {
		for _, problem := range pkg.Errors {
			err = errors.Join(err, problem)
		}
		if !public(pkg) {
			continue
		}
		if _, writing := fmt.Fprintln(w, strings.Join(list(pkg.Types), "\n")); writing != nil {
			return writing
		}
	}
	return err
}

func public(pkg *packages.Package) bool {
	parts := strings.Split(pkg.PkgPath, "/")
	return pkg.Name != "main" && !slices.Contains(parts, "internal") && !slices.Contains(parts, "examples")
}

// list is a line for every exported name of a package, sorted.
func list(pkg *types.Package) []string {
	// A package's own names stand bare, others with the last part of their path.
	qualify := func(other *types.Package) string {
		if other == pkg {
			return ""
		}
		return other.Name()
	}
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, "pkg "+pkg.Path()+": "+fmt.Sprintf(format, args...))
	}
	scope := pkg.Scope()
	for _, name := range scope.Names() {
		object := scope.Lookup(name)
		if !object.Exported() {
			continue
		}
		named, isType := object.(*types.TypeName)
		if !isType {
			add("%s", types.ObjectString(object, qualify))
			continue
		}
		if named.IsAlias() {
			add("%s", types.ObjectString(object, qualify))
			continue
		}
		addType(add, named, qualify)
	}
	slices.Sort(lines)
	return lines
}

// addType adds a type, its exported fields or methods of an interface, and the
// methods of its pointer.
func addType(add func(string, ...any), named *types.TypeName, qualify types.Qualifier) {
	name := named.Name()
	switch underlying := named.Type().Underlying().(type) {
	case *types.Struct:
		add("type %s struct", name)
		for field := range underlying.Fields() {
			if field.Exported() {
				add("type %s struct, %s %s", name, field.Name(), types.TypeString(field.Type(), qualify))
			}
		}
	case *types.Interface:
		add("type %s interface", name)
		for method := range underlying.Methods() {
			add("type %s interface, %s%s", name, method.Name(), signature(method, qualify))
		}
	default:
		add("type %s %s", name, types.TypeString(underlying, qualify))
	}
	if types.IsInterface(named.Type()) {
		return
	}
	methods := types.NewMethodSet(types.NewPointer(named.Type()))
	for selection := range methods.Methods() {
		if method := selection.Obj(); method.Exported() {
			receiver := "*" + name
			if types.NewMethodSet(named.Type()).Lookup(method.Pkg(), method.Name()) != nil {
				receiver = name
			}
			add("method (%s) %s%s", receiver, method.Name(), signature(method, qualify))
		}
	}
}

// signature is a method's parameters and results.
func signature(method types.Object, qualify types.Qualifier) string {
	return strings.TrimPrefix(types.TypeString(method.Type(), qualify), "func")
}
