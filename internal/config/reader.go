package config

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds on what a file may ask of the reader. Aliases can make a small file
// expand without end, and one mistake can be made very often.
const (
	maxNodes    = 200_000
	maxProblems = 1_000
	maxName     = 200 // bytes of a name in a block of names
	maxQuoted   = 400 // bytes of a text that a problem repeats
)

// reader walks the node tree of one file into structs and collects problems.
type reader struct {
	file string // what problems call it
	dir  string // from which relative paths count; "" leaves them as they are
	env  func(string) (string, bool)

	nodes    int // read so far, aliases followed
	problems []Problem
	at       map[string]*yaml.Node // where each path that was given stands
	names    map[string]*yaml.Node // where the name of each named block stands
	unread   map[string]bool       // paths whose value could not be used
	marred   map[string]bool       // blocks in which something, at any depth, could not be used
	written  map[string]string     // what the file says at each path where it names environment variables
	secrets  map[string]*held      // by path
	defaults map[string]*yaml.Node // parsed default tags
	filler   *reader               // reads them
}

func newReader(file, dir string, env func(string) (string, bool)) *reader {
	return &reader{
		file: file, dir: dir, env: env,
		at: map[string]*yaml.Node{}, names: map[string]*yaml.Node{},
		unread: map[string]bool{}, marred: map[string]bool{},
		written: map[string]string{}, secrets: map[string]*held{}, defaults: map[string]*yaml.Node{},
	}
}

// add notes that something is wrong at n.
func (r *reader) add(n *yaml.Node, path, format string, args ...any) {
	switch {
	case len(r.problems) > maxProblems:
		return
	case len(r.problems) == maxProblems:
		r.problems = append(r.problems, Problem{File: r.file, Message: fmt.Sprintf("more than %d problems; the rest is not shown", maxProblems)})
		return
	}
	for i, a := range args {
		if s, ok := a.(string); ok && len(s) > maxQuoted {
			args[i] = strings.ToValidUTF8(s[:maxQuoted], "") + "..."
		}
	}
	p := Problem{File: r.file, Path: path, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

// problem notes that the value at path cannot be used: what else would be wrong
// with it is a consequence, and not told.
func (r *reader) problem(n *yaml.Node, path, format string, args ...any) {
	r.stray(n, path, format, args...)
	r.unread[path] = true
}

// stray notes that something in the block around path cannot be used, so that
// what seems to be missing there may be what was meant.
func (r *reader) stray(n *yaml.Node, path, format string, args ...any) {
	r.add(n, path, format, args...)
	for path != "" {
		path = parent(path)
		r.marred[path] = true
	}
}

// spend counts a node, and reports whether the file may have it.
func (r *reader) spend(n *yaml.Node, path string) bool {
	if r.nodes++; r.nodes == maxNodes+1 {
		r.problem(n, path, "the file is too large once its aliases are followed")
	}
	return r.nodes <= maxNodes
}

// fill gives v, if it is a block, the defaults of its tags, all the way down.
// Pointers, maps and lists without a default stay nil.
func (r *reader) fill(v reflect.Value) {
	t := v.Type()
	if !isBlock(t) {
		return
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("yaml") == "-" {
			continue
		}
		text, ok := f.Tag.Lookup("default")
		if !ok {
			r.fill(v.Field(i))
			continue
		}
		if r.filler == nil {
			r.filler = newReader("default", "", r.env)
		}
		r.filler.nodes = 0
		r.filler.value(r.defaultNode(text), v.Field(i), t.Name()+"."+f.Name, f.Tag)
		if len(r.filler.problems) > 0 {
			panic("config: " + r.filler.problems[0].String()) // a mistake in this package; a test fills everything
		}
	}
}

// defaultNode is the text of a default tag as if it stood in a file.
func (r *reader) defaultNode(text string) *yaml.Node {
	n := r.defaults[text]
	if n == nil {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
			panic("config: default " + text) // likewise
		}
		n = doc.Content[0]
		r.defaults[text] = n
	}
	return n
}

var (
	durationType = reflect.TypeFor[Duration]()
	sizeType     = reflect.TypeFor[Size]()
	prefixType   = reflect.TypeFor[Prefix]()
	listType     = reflect.TypeFor[StringList]()
	secretType   = reflect.TypeFor[Secret]()
	headerType   = reflect.TypeFor[HeaderValue]()
)

// isBlock reports whether values of t are blocks of keys.
func isBlock(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != prefixType && !isSecret(t)
}

// isSecret reports whether values of t may be given as secrets.
func isSecret(t reflect.Type) bool { return t == secretType || t == headerType }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// resolved is n, or what the alias n stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// isNull reports whether nothing is written: "key:", "key: ~" or "key: null".
func isNull(n *yaml.Node) bool {
	n = resolved(n)
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// value reads n into v, which has its default already. tag is the one of the
// field that holds v.
func (r *reader) value(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if !r.spend(n, path) {
		return
	}
	r.at[path] = n
	n = resolved(n)
	if n.Style&yaml.TaggedStyle != 0 && !plainTags[n.Tag] {
		if isSecret(v.Type()) { // what was meant may begin with "!"
			r.problem(n, path, "a tag is not read; write a text that begins with \"!\" in quotes")
		} else {
			r.problem(n, path, "the tag %s is not read; take it out", n.Tag)
		}
		return
	}
	if isNull(n) {
		if v.Kind() == reflect.Pointer && isBlock(v.Type().Elem()) {
			r.problem(n, path, "is empty; write {} for its defaults, or take it out")
		}
		return // the default
	}
	switch {
	case v.Kind() == reflect.Pointer:
		r.pointer(n, v, path, tag)
	case isSecret(v.Type()):
		r.secret(n, v, path)
	case isBlock(v.Type()):
		r.block(n, v, path, tag)
	case v.Kind() == reflect.Map:
		r.mapping(n, v, path, tag)
	case v.Type() == listType && n.Kind == yaml.ScalarNode:
		one := reflect.New(v.Type().Elem()).Elem()
		r.scalar(n, one, path, tag)
		v.Set(reflect.ValueOf(StringList{one.String()}))
	case v.Kind() == reflect.Slice:
		r.list(n, v, path, tag)
	default:
		r.scalar(n, v, path, tag)
	}
}

// plainTags are those that YAML gives by itself; writing them changes nothing.
var plainTags = map[string]bool{
	"!!str": true, "!!int": true, "!!float": true, "!!bool": true, "!!null": true, "!!map": true, "!!seq": true,
}

// pointer reads a value that need not be there. One that cannot be used stays nil,
// unless it is a block, of which the rest may be good.
func (r *reader) pointer(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	one := reflect.New(v.Type().Elem())
	r.fill(one.Elem())
	r.value(n, one.Elem(), path, tag)
	if isBlock(one.Elem().Type()) || !r.unread[path] {
		v.Set(one)
	}
}

func (r *reader) list(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if n.Kind != yaml.SequenceNode {
		r.problem(n, path, "wants a list such as [a, b], not %s", kindName(n, v.Type()))
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, len(n.Content))
	words := map[string]bool{}
	for i, c := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !r.spend(c, at) {
			return
		}
		one := r.element(c, v.Type().Elem(), at, tag)
		if tag.Get("enum") != "" {
			if words[one.String()] && !r.unread[at] {
				r.problem(c, at, "%q stands twice; keep one", one.String())
			}
			words[one.String()] = true
		}
		list = reflect.Append(list, one)
	}
	v.Set(list)
}

// element reads one value of a list or of a block of names. It is there even if
// it could not be read, so that those behind it keep their numbers.
func (r *reader) element(n *yaml.Node, t reflect.Type, path string, tag reflect.StructTag) reflect.Value {
	one := reflect.New(t).Elem()
	inner := one
	if t.Kind() == reflect.Pointer {
		one.Set(reflect.New(t.Elem()))
		inner = one.Elem()
	}
	r.fill(inner)
	if isNull(n) {
		r.problem(n, path, "is empty; write a value, or take it out")
	} else {
		r.value(n, inner, path, tag)
	}
	return one
}

// block reads a mapping into a struct.
func (r *reader) block(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	t := v.Type()
	if n.Kind == yaml.ScalarNode {
		if short := tag.Get("short"); short != "" {
			i := fieldIndex(t, short)
			r.value(n, v.Field(i), join(path, short), t.Field(i).Tag)
			return
		}
	}
	if n.Kind != yaml.MappingNode {
		r.problem(n, path, "wants a block of keys, not %s", kindName(n, t))
		return
	}
	seen := map[string]int{}
	merged := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		if !r.spend(k, path) {
			return
		}
		if k.Kind != yaml.ScalarNode {
			r.stray(k, path, "a key must be a plain word")
			continue
		}
		at := join(path, k.Value)
		if k.Tag == "!!merge" {
			merged = true
			r.stray(k, at, "merge keys are not read; repeat the keys, or use an alias for a whole block")
			continue
		}
		f := fieldIndex(t, k.Value)
		if f < 0 && isNull(c) && hasSecret(t) { // {TOKEN} is {TOKEN: null}
			r.stray(k, path, "a key without a value%s", suggest("", t))
			continue
		}
		if f < 0 {
			r.stray(k, join(path, shortened(k.Value)), "unknown key%s", suggest(k.Value, t))
			continue
		}
		if line, ok := seen[k.Value]; ok {
			r.stray(k, at, "stands twice, first in line %d; keep one", line)
			continue
		}
		seen[k.Value] = k.Line
		r.value(c, v.Field(f), at, t.Field(f).Tag)
	}
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		if f.Tag.Get("required") != "true" {
			continue
		}
		at := join(path, key)
		if _, given := seen[key]; !given {
			if !merged {
				r.problem(n, at, "is missing")
			}
		} else if f.Type.Kind() != reflect.Struct && v.Field(i).Len() == 0 && !r.unread[at] {
			r.problem(r.at[at], at, "must not be empty")
		}
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
		r.problem(n, path, "wants a block of names, not %s", kindName(n, v.Type()))
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, c := n.Content[i], n.Content[i+1]
		if !r.spend(k, path) {
			return
		}
		at := join(path, shortened(k.Value))
		switch {
		case k.Kind != yaml.ScalarNode || isNull(k) || k.Value == "":
			r.stray(k, path, "a name must be a plain word")
			continue
		case k.Tag == "!!merge":
			r.stray(k, at, "merge keys are not read; repeat the names")
			continue
		case len(k.Value) > maxName || !utf8.ValidString(k.Value):
			r.stray(k, at, "a name is at most %d characters long", maxName)
			continue
		case m.MapIndex(reflect.ValueOf(k.Value)).IsValid():
			r.stray(k, at, "stands twice, first in line %d; keep one", r.names[at].Line)
			continue
		}
		r.names[at] = k
		m.SetMapIndex(reflect.ValueOf(k.Value), r.element(c, v.Type().Elem(), at, tag))
	}
	v.Set(m)
}

// shortened is a key that is fit to stand in a path.
func shortened(key string) string {
	if len(key) <= maxName {
		return key
	}
	return strings.ToValidUTF8(key[:maxName], "") + "..."
}

// kindName says what n is, where something for wanted should stand. It repeats no
// value that may be a secret in the wrong place.
func kindName(n *yaml.Node, wanted reflect.Type) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a block of keys"
	case yaml.SequenceNode:
		return "a list"
	default:
		if holdsSecret(wanted) {
			return "one value"
		}
		return fmt.Sprintf("the value %q", shortened(n.Value))
	}
}
