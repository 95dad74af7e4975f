// Package refdoc makes the reference of the configuration and its JSON schema
// from the structs of package config, so that neither can say what the reader
// does not do. It runs when documents are generated and in the test that holds
// them current, never in a running Evergate.
package refdoc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/evergate/evergate/internal/config"
)

// Names of the generated documents.
const (
	Reference = "config.md"
	Schema    = "evergate.schema.json"
)

// Generate returns the documents by their names. source is the folder with the
// Go files of package config.
func Generate(source string) (map[string][]byte, error) {
	c, err := parseComments(source)
	if err != nil {
		return nil, err
	}
	schema, err := c.schema()
	if err != nil {
		return nil, err
	}
	reference, err := c.reference()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{Reference: reference, Schema: schema}, nil
}

// comments are the doc comments of the structs: by type, and by type and field.
type comments struct {
	types  map[string]string
	fields map[string]string // "Type.Field"
}

func parseComments(source string) (*comments, error) {
	paths, err := filepath.Glob(filepath.Join(source, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("find the source of the configuration: %w", err)
	}
	c := &comments{types: map[string]string{}, fields: map[string]string{}}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parse the source of the configuration: %w", err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				c.read(g, s.(*ast.TypeSpec))
			}
		}
	}
	return c, nil
}

func (c *comments) read(g *ast.GenDecl, spec *ast.TypeSpec) {
	c.types[spec.Name.Name] = oneLine(g.Doc.Text())
	st, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range st.Fields.List {
		for _, n := range f.Names {
			c.fields[spec.Name.Name+"."+n.Name] = oneLine(f.Doc.Text())
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// field is the doc of f in t. Every key must have one.
func (c *comments) field(t reflect.Type, f reflect.StructField) (string, error) {
	doc := c.fields[t.Name()+"."+f.Name]
	if doc == "" {
		return "", fmt.Errorf("field %s.%s has no comment, and that is its manual", t.Name(), f.Name)
	}
	return doc, nil
}

// kind is the type of a key in the words of the reference.
func kind(t reflect.Type, tag reflect.StructTag) string {
	switch t {
	case reflect.TypeFor[config.Duration]():
		return "time"
	case reflect.TypeFor[config.Size]():
		return "size"
	case reflect.TypeFor[config.Prefix]():
		return "network"
	case reflect.TypeFor[config.StringList]():
		return "text or list of text"
	case reflect.TypeFor[config.Secret]():
		return "secret"
	case reflect.TypeFor[config.HeaderValue]():
		return "text or secret"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kind(t.Elem(), tag)
	case reflect.Slice:
		return "list of " + kind(t.Elem(), tag)
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return "name: text"
		}
		return "name: " + kind(t.Elem(), tag)
	case reflect.Struct:
		return "block"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "whole number"
	case reflect.Float64:
		return "number"
	default:
		if words := tag.Get("enum"); words != "" {
			return strings.ReplaceAll(words, "|", ", ")
		}
		if tag.Get("path") == "true" {
			return "path"
		}
		return "text"
	}
}

// isBlock reports whether t is a struct with keys of its own.
func isBlock(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[config.Prefix]() && !isSecret(t)
}

// isSecret reports whether t may be written as a secret.
func isSecret(t reflect.Type) bool {
	return t == reflect.TypeFor[config.Secret]() || t == reflect.TypeFor[config.HeaderValue]()
}

// inner is the block behind pointers, lists and maps, and what stands between:
// "[]" for a list, ".NAME" for a map.
func inner(t reflect.Type) (block reflect.Type, path string) {
	for {
		switch t.Kind() {
		case reflect.Pointer:
			t = t.Elem()
		case reflect.Slice:
			t, path = t.Elem(), path+"[]"
		case reflect.Map:
			t, path = t.Elem(), path+".NAME"
		default:
			return t, path
		}
	}
}
