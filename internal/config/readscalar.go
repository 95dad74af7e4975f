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
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// What a value may be at most where its key says nothing: enough for everybody,
// and small enough that sums and products of such values stay in their types.
const (
	MaxDuration = "87600h"
	MaxSize     = "1024TiB"
	MaxNumber   = "1000000000"
)

// variable is the escape $${, or ${NAME}, well-formed or not. ${1} is none: it
// is a group of a regular expression.
var variable = regexp.MustCompile(`\$\$\{|\$\{[A-Za-z_][^}]*\}?`)

var variableName = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// text is the string of a scalar, environment variables filled in: once, so that
// what stands in the environment is never looked into. shown is what a problem
// may repeat of it: what the environment holds may be a secret.
func (r *reader) text(n *yaml.Node, path string) (text, shown string, ok bool) {
	if n.Kind != yaml.ScalarNode {
		r.problem(n, path, "wants one value, not %s", kindName(n, nil))
		return "", "", false
	}
	text, ok = r.expand(n, path, func(m, name string) {
		if name == "" {
			r.problem(n, path, "%q is not an environment variable; write ${NAME}, or $${ for a plain ${", m)
		} else {
			r.problem(n, path, "environment variable %s is not set; set it, or write $${ for a plain ${", name)
		}
	})
	return text, n.Value, ok
}

// expand is the text of n with its environment variables filled in. tell hears of
// each piece that cannot be, with its name if it has one.
func (r *reader) expand(n *yaml.Node, path string, tell func(piece, name string)) (text string, ok bool) {
	ok = true
	text = variable.ReplaceAllStringFunc(n.Value, func(m string) string {
		if m == "$${" {
			return "${"
		}
		r.written[path] = n.Value
		name := variableName.FindStringSubmatch(m)
		if name == nil {
			tell(m, "")
			ok = false
			return ""
		}
		value, set := r.env(name[1])
		if !set {
			tell(m, name[1])
			ok = false
		}
		return value
	})
	if ok && !isText(text) {
		r.problem(n, path, notText)
		ok = false
	}
	return text, ok
}

const notText = "holds a NUL character or is not UTF-8"

func isText(s string) bool { return !strings.ContainsRune(s, 0) && utf8.ValidString(s) }

// scalar reads one value. One that cannot be used leaves v as it is.
func (r *reader) scalar(n *yaml.Node, v reflect.Value, path string, tag reflect.StructTag) {
	s, shown, ok := r.text(n, path)
	if !ok {
		return
	}
	switch {
	case v.Type() == durationType:
		d, err := parseDuration(s)
		if err != nil {
			r.problem(n, path, "%q is not a time; write one such as 250ms, 5s or 1h30m", shown)
		} else if r.within(n, path, tag, float64(d), MaxDuration, durationNumber) {
			v.SetInt(int64(d))
		}
	case v.Type() == sizeType:
		size, err := parseSize(s)
		if err != nil {
			r.problem(n, path, "%q is not a size; write one such as 512, 64KiB or 1GB", shown)
		} else if r.within(n, path, tag, float64(size), MaxSize, sizeNumber) {
			v.SetInt(int64(size))
		}
	case v.Type() == prefixType:
		p, err := parsePrefix(s)
		if err != nil {
			r.problem(n, path, "%q is not a network; write one such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32", shown)
			return
		}
		v.Set(reflect.ValueOf(p))
	case v.Kind() == reflect.Bool:
		if s != "true" && s != "false" {
			r.problem(n, path, "%q is neither true nor false", shown)
			return
		}
		v.SetBool(s == "true")
	case v.Kind() == reflect.Int:
		i, err := strconv.Atoi(s)
		if err != nil {
			r.problem(n, path, "%q is not a whole number", shown)
		} else if r.within(n, path, tag, float64(i), MaxNumber, plainNumber) {
			v.SetInt(int64(i))
		}
	case v.Kind() == reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.problem(n, path, "%q is not a number", shown)
		} else if r.within(n, path, tag, f, MaxNumber, plainNumber) {
			v.SetFloat(f)
		}
	case v.Kind() == reflect.String:
		if words := tag.Get("enum"); words != "" && !slices.Contains(strings.Split(words, "|"), s) {
			r.problem(n, path, "%q is not one of %s", shown, strings.ReplaceAll(words, "|", ", "))
			return
		}
		if tag.Get("path") == "true" && s != "" && !slices.Contains(strings.Split(tag.Get("words"), "|"), s) {
			s = r.absolute(s)
		}
		v.SetString(s)
	default:
		panic("config: no reader for " + v.Type().String()) // a mistake in this package; a test reads everything
	}
}

func plainNumber(s string) float64    { f, _ := strconv.ParseFloat(s, 64); return f }
func durationNumber(s string) float64 { d, _ := parseDuration(s); return float64(d) }
func sizeNumber(s string) float64     { z, _ := parseSize(s); return float64(z) }

// within holds got against min and max of tag; without them, against 0 and most.
func (r *reader) within(n *yaml.Node, path string, tag reflect.StructTag, got float64, most string, number func(string) float64) bool {
	low, high := tag.Get("min"), tag.Get("max")
	switch {
	case low != "" && high != "" && (got < number(low) || got > number(high)):
		r.problem(n, path, "%s is out of range; it must be between %s and %s", n.Value, low, high)
	case low == "" && got < 0:
		r.problem(n, path, "%s is out of range; it must not be negative", n.Value)
	case low != "" && got < number(low):
		r.problem(n, path, "%s is out of range; it must be at least %s", n.Value, low)
	case high != "" && got > number(high), high == "" && got > number(most):
		if high == "" {
			high = most
		}
		r.problem(n, path, "%s is out of range; it must be at most %s", n.Value, high)
	default:
		return true
	}
	return false
}

// absolute counts path from the file's folder.
func (r *reader) absolute(path string) string {
	if r.dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}

// suggest says which key was probably meant, or which there are.
func suggest(key string, t reflect.Type) string {
	if len(key) > maxName {
		return ""
	}
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

// editDistance is Levenshtein's, in bytes.
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
