package config

import (
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on what a file may ask of the reader: aliases can make a small file
// expand without end.
const (
	maxNodes = 200_000
	maxDepth = 50
)

// reader walks the node tree of one file into structs and collects problems.
type reader struct {
	file string
	dir  string
	env  func(string) (string, bool)

	nodes    int
	problems []Problem
	at       map[string]*yaml.Node // where each path stands in the file
}

// problem notes that something is wrong at n.
func (r *reader) problem(n *yaml.Node, path, format string, args ...any) {
	p := Problem{File: r.file, Path: path, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

// fill gives v, a struct, the defaults of its tags, all the way down. Pointers,
// maps and slices without a default stay nil.
func (r *reader) fill(v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("yaml") == "-" {
			continue
		}
		if text, ok := f.Tag.Lookup("default"); ok {
			var doc yaml.Node
			if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
				panic("config: bad default of " + t.Name() + "." + f.Name) // a mistake in this package; a test loads them all
			}
			sub := &reader{file: "default", env: r.env}
			sub.value(doc.Content[0], v.Field(i), f.Name, "")
			if len(sub.problems) > 0 {
				panic("config: " + sub.problems[0].String())
			}
			continue
		}
		if f.Type.Kind() == reflect.Struct && !isScalar(f.Type) {
			r.fill(v.Field(i))
		}
	}
}

var (
	durationType = reflect.TypeFor[Duration]()
	sizeType     = reflect.TypeFor[Size]()
	prefixType   = reflect.TypeFor[Prefix]()
	listType     = reflect.TypeFor[StringList]()
	serverType   = reflect.TypeFor[Server]()
)

func isScalar(t reflect.Type) bool { return t == prefixType }

// shorthand is the field that a scalar stands for, "" if t must be a block.
func shorthand(t reflect.Type, tag reflect.StructTag) string {
	if t == serverType {
		return "url"
	}
	return tag.Get("short")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// value reads n into v. tag is the one of the field that holds v.
func (r *reader) value(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if r.nodes++; r.nodes > maxNodes {
		if r.nodes == maxNodes+1 {
			r.problem(n, path, "the file is too large once its aliases are followed")
		}
		return
	}
	if strings.Count(path, ".")+strings.Count(path, "[") > maxDepth {
		r.problem(n, path, "nested too deeply")
		return
	}
	if r.at != nil {
		r.at[path] = n
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // "key:" with nothing behind it: the default
	}
	switch {
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			if v.Elem().Kind() == reflect.Struct && !isScalar(v.Type().Elem()) {
				r.fill(v.Elem())
			}
		}
		r.value(n, v.Elem(), path, tag)
	case v.Type() == listType && n.Kind == yaml.ScalarNode:
		if s, ok := r.text(n, path); ok {
			v.Set(reflect.ValueOf(StringList{s}))
		}
	case v.Kind() == reflect.Struct && !isScalar(v.Type()):
		r.block(n, v, path, tag)
	case v.Kind() == reflect.Map:
		r.mapping(n, v, path, tag)
	case v.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			r.problem(n, path, "wants a list such as [a, b], not %s", kindName(n))
			return
		}
		list := reflect.MakeSlice(v.Type(), 0, len(n.Content))
		for i, c := range n.Content {
			one := reflect.New(v.Type().Elem()).Elem()
			before := len(r.problems)
			r.value(c, one, fmt.Sprintf("%s[%d]", path, i), tag)
			if one.Kind() == reflect.Pointer && one.IsNil() {
				if len(r.problems) == before {
					r.problem(c, fmt.Sprintf("%s[%d]", path, i), "is empty; write a value or take the line out")
				}
				continue
			}
			list = reflect.Append(list, one)
		}
		v.Set(list)
	default:
		r.scalar(n, v, path, tag)
	}
}

// block reads a mapping into a struct.
func (r *reader) block(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	t := v.Type()
	if n.Kind == yaml.ScalarNode {
		if short := shorthand(t, tag); short != "" {
			i := fieldIndex(t, short)
			r.value(n, v.Field(i), join(path, short), t.Field(i).Tag)
			return
		}
	}
	if n.Kind != yaml.MappingNode {
		r.problem(n, path, "wants a block of keys, not %s", kindName(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			r.problem(k, path, "a key must be a plain word")
			continue
		}
		if k.Tag == "!!merge" {
			r.problem(k, join(path, k.Value), "merge keys are not read; repeat the keys, or use an alias for a whole block")
			continue
		}
		if line, ok := seen[k.Value]; ok {
			r.problem(k, join(path, k.Value), "stands twice, first in line %d; keep one", line)
			continue
		}
		seen[k.Value] = k.Line
		f := fieldIndex(t, k.Value)
		if f < 0 {
			r.problem(k, join(path, k.Value), "unknown key%s", suggest(k.Value, t))
			continue
		}
		r.value(c, v.Field(f), join(path, k.Value), t.Field(f).Tag)
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("required") != "true" {
			continue
		}
		if _, ok := seen[f.Tag.Get("yaml")]; !ok {
			r.problem(n, join(path, f.Tag.Get("yaml")), "is missing")
		} else if isEmpty(v.Field(i)) && !r.hasProblem(join(path, f.Tag.Get("yaml"))) {
			r.problem(n, join(path, f.Tag.Get("yaml")), "must not be empty")
		}
	}
}

func (r *reader) hasProblem(path string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return strings.HasPrefix(p.Path, path) })
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	default:
		return false
	}
}

func fieldIndex(t reflect.Type, key string) int {
	if key == "" || key == "-" {
		return -1
	}
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == key {
			return i
		}
	}
	return -1
}

// mapping reads a mapping whose keys are names.
func (r *reader) mapping(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if n.Kind != yaml.MappingNode {
		r.problem(n, path, "wants a block of names, not %s", kindName(n))
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		at := join(path, k.Value)
		if k.Kind != yaml.ScalarNode || k.Value == "" {
			r.problem(k, path, "a name must be a plain word")
			continue
		}
		if k.Tag == "!!merge" {
			r.problem(k, at, "merge keys are not read; repeat the keys, or use an alias for a whole block")
			continue
		}
		if m.MapIndex(reflect.ValueOf(k.Value)).IsValid() {
			r.problem(k, at, "stands twice; keep one")
			continue
		}
		one := reflect.New(v.Type().Elem()).Elem()
		r.value(c, one, at, tag)
		if one.Kind() == reflect.Pointer && one.IsNil() {
			r.problem(k, at, "is empty; write its keys or take it out")
			continue
		}
		m.SetMapIndex(reflect.ValueOf(k.Value), one)
	}
	v.Set(m)
}

// text is the string of a scalar, environment variables filled in.
func (r *reader) text(n *yaml.Node, path string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		r.problem(n, path, "wants one value, not %s", kindName(n))
		return "", false
	}
	ok := true
	out := variable.ReplaceAllStringFunc(n.Value, func(m string) string {
		if m == "$${" {
			return "${"
		}
		name := m[2 : len(m)-1]
		value, set := r.env(name)
		if !set {
			r.problem(n, path, "environment variable %s is not set; set it, or write $${ for a plain ${", name)
			ok = false
		}
		return value
	})
	return out, ok
}

// variable is ${NAME}, or the escape $${ .
var variable = regexp.MustCompile(`\$\$\{|\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// scalar reads one value.
func (r *reader) scalar(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	s, ok := r.text(n, path)
	if !ok {
		return
	}
	switch {
	case v.Type() == durationType:
		d, err := parseDuration(s)
		if err != nil {
			r.problem(n, path, "%q is not a time; write one such as 250ms, 5s or 1h30m", s)
			return
		}
		v.SetInt(int64(d))
		r.bounds(n, path, tag, float64(d), func(t string) float64 { d, _ := parseDuration(t); return float64(d) })
	case v.Type() == sizeType:
		size, err := parseSize(s)
		if err != nil {
			r.problem(n, path, "%q is not a size; write one such as 512, 64KiB or 1GB", s)
			return
		}
		v.SetInt(int64(size))
		r.bounds(n, path, tag, float64(size), func(t string) float64 { s, _ := parseSize(t); return float64(s) })
	case v.Type() == prefixType:
		p, err := parsePrefix(s)
		if err != nil {
			r.problem(n, path, "%q is not a network; write one such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32", s)
			return
		}
		v.Set(reflect.ValueOf(p))
	case v.Kind() == reflect.Bool:
		switch s {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			r.problem(n, path, "%q is neither true nor false", s)
		}
	case v.Kind() == reflect.Int:
		i, err := strconv.Atoi(s)
		if err != nil {
			r.problem(n, path, "%q is not a whole number", s)
			return
		}
		v.SetInt(int64(i))
		r.bounds(n, path, tag, float64(i), parseFloat)
	case v.Kind() == reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.problem(n, path, "%q is not a number", s)
			return
		}
		v.SetFloat(f)
		r.bounds(n, path, tag, f, parseFloat)
	case v.Kind() == reflect.String:
		if words := tag.Get("enum"); words != "" && !slices.Contains(strings.Split(words, "|"), s) {
			r.problem(n, path, "%q is not one of %s", s, strings.ReplaceAll(words, "|", ", "))
			return
		}
		if strings.ContainsRune(s, 0) {
			r.problem(n, path, "contains a NUL character")
			return
		}
		if tag.Get("path") == "true" && s != "" && !slices.Contains(strings.Split(tag.Get("words"), "|"), s) {
			s = r.absolute(s)
		}
		v.SetString(s)
	default:
		panic("config: no reader for " + v.Type().String()) // a mistake in this package
	}
}

func parseFloat(s string) float64 { f, _ := strconv.ParseFloat(s, 64); return f }

// bounds holds got against min and max of tag.
func (r *reader) bounds(n *yaml.Node, path string, tag reflect.StructTag, got float64, parse func(string) float64) {
	low, hasLow := tag.Lookup("min")
	high, hasHigh := tag.Lookup("max")
	below := hasLow && got < parse(low)
	if !hasLow && got < 0 {
		r.problem(n, path, "must not be negative")
		return
	}
	above := hasHigh && got > parse(high)
	switch {
	case (below || above) && hasLow && hasHigh:
		r.problem(n, path, "must be between %s and %s", low, high)
	case below:
		r.problem(n, path, "must be at least %s", low)
	case above:
		r.problem(n, path, "must be at most %s", high)
	}
}

// absolute counts path from the file's folder.
func (r *reader) absolute(path string) string {
	if r.dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a block of keys"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("the value %q", n.Value)
	}
}

// suggest names the key that was probably meant.
func suggest(key string, t reflect.Type) string {
	best, distance := "", 3
	var all []string
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		if name == "-" {
			continue
		}
		all = append(all, name)
		if d := editDistance(strings.ToLower(key), name); d < distance && d < len(name) {
			best, distance = name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return "; known here: " + strings.Join(all, ", ")
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
