package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
)

// Redacted is the configuration as JSON that operators may see: the keys of the
// file in the order of the reference, names in the order of the alphabet,
// defaults filled in, times and sizes in the notation of the file, keys that are
// not given and have no default left out. It is made from the values of c, levers
// included.
//
// No secret is in it. One that stands in the file is "***", another is where it
// comes from, {"file": ...} or {"env": ...}; of store.url all but the password
// is there. What an environment variable holds may be a secret too, even in a
// key that is made for none, so a text with a variable shows as it stands in the
// file, "http://${HOST}". Numbers, times, sizes, networks, true and false, and the
// words of a closed list show as they are in effect: nobody's secret has that form.
func (c *Config) Redacted() json.RawMessage {
	v := &view{written: c.written}
	v.value(reflect.ValueOf(c).Elem(), "", "")
	return v.b.Bytes()
}

// MarshalJSON is Redacted.
func (c *Config) MarshalJSON() ([]byte, error) { return c.Redacted(), nil }

// view writes what may be seen of a configuration.
type view struct {
	b       bytes.Buffer
	written map[string]string // by path: texts with environment variables, as they stand in the file
}

func (v *view) value(x reflect.Value, path string, tag reflect.StructTag) {
	switch t := x.Type(); {
	case t.Kind() == reflect.Pointer && x.IsNil():
		v.b.WriteString("null") // of a hand-made Config only
	case t.Kind() == reflect.Pointer:
		v.value(x.Elem(), path, tag)
	case t == secretType:
		v.secret(x.Interface().(Secret), path)
	case isBlock(t):
		v.block(x, path)
	case t.Kind() == reflect.Map:
		v.names(x, path, tag)
	case t.Kind() == reflect.Slice:
		v.list(x, path, tag)
	case t == durationType || t == sizeType || t == prefixType:
		v.text(fmt.Sprint(x.Interface()))
	case t.Kind() == reflect.Bool:
		v.b.WriteString(strconv.FormatBool(x.Bool()))
	case t.Kind() == reflect.Int:
		v.b.WriteString(strconv.FormatInt(x.Int(), 10))
	case t.Kind() == reflect.Float64:
		v.b.WriteString(strconv.FormatFloat(x.Float(), 'g', -1, 64))
	case t.Kind() == reflect.String:
		if text, ok := v.written[path]; ok && tag.Get("enum") == "" {
			v.text(text)
			return
		}
		v.text(escaped(x.String()))
	default:
		panic("config: no view of " + t.String()) // a mistake in this package; a test shows everything
	}
}

// lookalike would be read as a variable, or as an escaped one.
var lookalike = regexp.MustCompile(`\$?\$\{[A-Za-z_]|\$\$\{`)

// escaped is how s stands in a file that means s.
func escaped(s string) string { return lookalike.ReplaceAllString(s, "$$${0}") }

func (v *view) text(s string) {
	data, _ := json.Marshal(s) // a string always can be
	v.b.Write(data)
}

// member begins a value of an object.
func (v *view) member(first *bool, name string) {
	if !*first {
		v.b.WriteByte(',')
	}
	*first = false
	v.text(name)
	v.b.WriteByte(':')
}

func (v *view) block(x reflect.Value, path string) {
	v.b.WriteByte('{')
	first := true
	for i := range x.NumField() {
		f := x.Type().Field(i)
		key := f.Tag.Get("yaml")
		if key == "-" || isAbsent(x.Field(i), f.Tag) {
			continue
		}
		start, wasFirst := v.b.Len(), first
		v.member(&first, key)
		v.value(x.Field(i), join(path, key), f.Tag)
		if bytes.HasSuffix(v.b.Bytes()[start:], []byte(`":{}`)) && isBlock(f.Type) { // nothing in it is given
			v.b.Truncate(start)
			first = wasFirst
		}
	}
	v.b.WriteByte('}')
}

// isAbsent reports whether x is what a key without a default has when it is not given.
func isAbsent(x reflect.Value, tag reflect.StructTag) bool {
	switch x.Kind() {
	case reflect.Pointer:
		return x.IsNil()
	case reflect.String, reflect.Slice, reflect.Map:
		_, standard := tag.Lookup("default")
		return x.Len() == 0 && !standard && tag.Get("required") == ""
	}
	return false
}

func (v *view) names(x reflect.Value, path string, tag reflect.StructTag) {
	v.b.WriteByte('{')
	first := true
	keys := make(map[string]reflect.Value, x.Len())
	for _, k := range x.MapKeys() {
		keys[k.String()] = x.MapIndex(k)
	}
	for _, name := range sortedKeys(keys) {
		v.member(&first, name)
		if h, ok := keys[name].Interface().(HeaderValue); ok {
			v.header(h, name, join(path, name))
		} else {
			v.value(keys[name], join(path, name), tag)
		}
	}
	v.b.WriteByte('}')
}

func (v *view) list(x reflect.Value, path string, tag reflect.StructTag) {
	v.b.WriteByte('[')
	for i := range x.Len() {
		if i > 0 {
			v.b.WriteByte(',')
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		if _, ok := v.written[path]; ok { // a plain text for a list of one
			at = path
		}
		v.value(x.Index(i), at, tag)
	}
	v.b.WriteByte(']')
}

// secret shows where s comes from.
func (v *view) secret(s Secret, path string) {
	h := s.held
	switch {
	case path == "store.url" && !s.IsZero() && !h.unread:
		shown, problem := databaseURL(s.Reveal())
		if problem != "" {
			shown = redacted
		}
		v.text(shown)
	case s.IsZero():
		v.text("")
	case h.file != "":
		v.source("file", h.file, path)
	case h.variable != "":
		v.source("env", h.variable, path)
	default:
		v.text(redacted)
	}
}

func (v *view) source(key, value, path string) {
	first := true
	v.b.WriteByte('{')
	v.member(&first, key)
	v.value(reflect.ValueOf(value), join(path, key), "")
	v.b.WriteByte('}')
}

func (v *view) header(h HeaderValue, name, path string) {
	text, expanded := v.written[path]
	switch {
	case h.open && !isSensitive(name):
		v.text(escaped(h.Reveal()))
	case expanded && !isSensitive(name):
		v.text(text)
	default:
		v.secret(Secret{h.held}, path)
	}
}
