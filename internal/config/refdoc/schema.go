package refdoc

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/evergate/evergate/internal/config"
)

// object is a piece of JSON schema; encoding/json sorts its keys.
type object = map[string]any

// A value may always hold an environment variable; its form is then not known here.
const variable = `\$\{`

// definitions are the blocks, by the name of their Go type.
type definitions struct {
	*comments
	blocks object
}

// schema is the document for editors: JSON Schema 2020-12. It accepts all that
// the reader accepts; what it refuses is wrong, what it accepts may still be.
func (c *comments) schema() ([]byte, error) {
	d := &definitions{comments: c, blocks: object{}}
	root, err := d.block(reflect.TypeFor[config.Config]())
	if err != nil {
		return nil, err
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "evergate.yaml"
	root["type"] = "object"
	root["$defs"] = d.blocks
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(data, '\n'), nil
}

// block is the schema of a struct.
func (d *definitions) block(t reflect.Type) (object, error) {
	properties, required := object{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		if key == "-" {
			continue
		}
		doc, err := d.field(t, f)
		if err != nil {
			return nil, err
		}
		p, err := d.value(f.Type, f.Tag)
		if err != nil {
			return nil, err
		}
		switch {
		case f.Tag.Get("required") == "true":
			required = append(required, key)
		case f.Type.Kind() == reflect.Pointer && isBlock(f.Type.Elem()): // must not be empty
		default:
			p = anyOf(p, object{"type": "null"}) // "key:" is the default
		}
		p["description"] = doc
		if text, ok := f.Tag.Lookup("default"); ok {
			var v any
			if err := yaml.Unmarshal([]byte(text), &v); err != nil {
				return nil, fmt.Errorf("default of %s.%s: %w", t.Name(), f.Name, err)
			}
			p["default"] = v
		}
		properties[key] = p
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if doc := d.types[t.Name()]; doc != "" {
		s["description"] = doc
	}
	if len(required) > 0 {
		s["required"] = required
	}
	return s, nil
}

// reference points to the schema of t, which is made once.
func (d *definitions) reference(t reflect.Type) (object, error) {
	if d.blocks[t.Name()] == nil {
		d.blocks[t.Name()] = object{} // no block holds itself, but then this would end
		s, err := d.block(t)
		if err != nil {
			return nil, err
		}
		d.blocks[t.Name()] = s
	}
	return object{"$ref": "#/$defs/" + t.Name()}, nil
}

func (d *definitions) value(t reflect.Type, tag reflect.StructTag) (object, error) {
	switch t {
	case reflect.TypeFor[config.Duration]():
		return anyOf(text(`^[+]?([0-9]*\.?[0-9]+(ns|us|µs|μs|ms|s|m|h)|[0-9]+\.(ns|us|µs|μs|ms|s|m|h))+$|^[+-]?0$`), object{"const": 0}), nil
	case reflect.TypeFor[config.Size]():
		return anyOf(object{"type": "integer", "minimum": 0}, text(`^[+]?[0-9]+\s*([KMGT]i?B|B)?$`)), nil
	case reflect.TypeFor[config.Prefix]():
		return text(`^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$`), nil
	case reflect.TypeFor[config.StringList]():
		return anyOf(plain(), object{"type": "array", "items": plain()}), nil
	}
	if isSecret(t) {
		return d.secret(), nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.value(t.Elem(), tag)
	case reflect.Slice:
		items, err := d.value(t.Elem(), tag)
		if err != nil {
			return nil, err
		}
		s := object{"type": "array", "items": items}
		if tag.Get("required") == "true" {
			s["minItems"] = 1
		}
		return s, nil
	case reflect.Map:
		values, err := d.value(t.Elem(), tag)
		if err != nil {
			return nil, err
		}
		return object{"type": "object", "additionalProperties": values}, nil
	case reflect.Struct:
		s, err := d.reference(t)
		if err != nil {
			return nil, err
		}
		if short := tag.Get("short"); short != "" {
			return d.orShort(s, t, short)
		}
		return s, nil
	case reflect.Bool:
		return anyOf(object{"type": "boolean"}, text(`^(true|false)$`)), nil
	case reflect.Int:
		return anyOf(number("integer", tag), text(`^[+-]?[0-9]+$`)), nil
	case reflect.Float64:
		return anyOf(number("number", tag), text(`^[+-]?[0-9.]`)), nil
	default:
		if words := tag.Get("enum"); words != "" {
			return anyOf(object{"enum": enum(words)}, text("")), nil
		}
		return plain(), nil
	}
}

// secret is a text, or where it is.
func (d *definitions) secret() object {
	d.blocks["SecretSource"] = object{
		"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
		"description": "Where a secret is.",
		"properties": object{
			"file": with(plain(), "description", "File that holds the secret and nothing else; one line end behind it does not count."),
			"env":  with(text(`^[A-Za-z_][A-Za-z0-9_]*$`), "description", "Name of the environment variable that holds it."),
		},
	}
	return anyOf(plain(), object{"$ref": "#/$defs/SecretSource"})
}

// with is s with one key more.
func with(s object, key string, value any) object {
	s[key] = value
	return s
}

// orShort adds the plain value that may stand for the block.
func (d *definitions) orShort(block object, t reflect.Type, key string) (object, error) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("yaml") == key {
			short, err := d.value(f.Type, f.Tag)
			if err != nil {
				return nil, err
			}
			return anyOf(block, short), nil
		}
	}
	return nil, fmt.Errorf("%s has no key %s for its short form", t.Name(), key)
}

// plain is any text; YAML gives some texts other types.
func plain() object { return object{"type": []string{"string", "number", "boolean"}} }

// anyOf joins schemas, flat.
func anyOf(all ...object) object {
	var flat []any
	for _, s := range all {
		if inner, ok := s["anyOf"].([]any); ok && len(s) == 1 {
			flat = append(flat, inner...)
		} else {
			flat = append(flat, s)
		}
	}
	return object{"anyOf": flat}
}

// text is a string of the form pattern, or one that holds a variable.
func text(pattern string) object {
	if pattern == "" {
		return object{"type": "string", "pattern": variable}
	}
	return object{"type": "string", "pattern": pattern + "|" + variable}
}

// enum are the words; those that YAML reads as numbers stand in both forms.
func enum(words string) []any {
	var all []any
	for w := range strings.SplitSeq(words, "|") {
		all = append(all, w)
		if n, err := strconv.ParseFloat(w, 64); err == nil {
			all = append(all, n)
		}
	}
	return all
}

// number has the bounds of tag, and those that every number has.
func number(kind string, tag reflect.StructTag) object {
	s := object{"type": kind, "minimum": 0}
	if low := tag.Get("min"); low != "" {
		s["minimum"] = json.Number(low)
	}
	s["maximum"] = json.Number(config.MaxNumber)
	if high := tag.Get("max"); high != "" {
		s["maximum"] = json.Number(high)
	}
	return s
}
