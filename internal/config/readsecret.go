package config

import (
	"reflect"
	"regexp"

	"go.yaml.in/yaml/v3"
)

var bareName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

const secretForms = "write a text, {file: PATH} or {env: NAME}"

// secret reads a text, {file: PATH} or {env: NAME} into v, a Secret or a
// HeaderValue. Nothing that it says repeats what could be the secret, wherever it
// was put by mistake. Files are read later, by readSecrets.
func (r *reader) secret(n *yaml.Node, v reflect.Value, path string) {
	var h *held
	switch n.Kind {
	case yaml.ScalarNode:
		text, ok := r.secretText(n, path)
		if !ok {
			return
		}
		h = hold(text)
	case yaml.MappingNode:
		if h = r.secretSource(n, path); h == nil {
			r.unread[path] = true
			return
		}
	default:
		r.problem(n, path, "is a list; "+secretForms)
		return
	}
	r.secrets[path] = h
	if v.Type() == secretType {
		v.Set(reflect.ValueOf(Secret{h}))
		return
	}
	_, expanded := r.written[path]
	v.Set(reflect.ValueOf(HeaderValue{held: h, open: n.Kind == yaml.ScalarNode && !expanded}))
}

// secretText is the text of a secret that stands in the file.
func (r *reader) secretText(n *yaml.Node, path string) (string, bool) {
	return r.expand(n, path, func(piece, name string) {
		switch {
		case name == "":
			r.problem(n, path, "holds a ${ that begins no environment variable; write ${NAME}, or $${ for a plain ${")
		case piece == n.Value:
			r.problem(n, path, "environment variable %s is not set; set it, or write $${ for a plain ${", name)
		default:
			r.problem(n, path, "names an environment variable that is not set; set it, or write $${ for a plain ${")
		}
	})
}

// secretSource reads where a secret is; nil if it cannot be used.
func (r *reader) secretSource(n *yaml.Node, path string) *held {
	if len(n.Content) != 2 || n.Content[0].Kind != yaml.ScalarNode || !r.spend(n, path) {
		r.problem(n, path, secretForms)
		return nil
	}
	key, at := n.Content[0].Value, n.Content[1]
	if key != "file" && key != "env" || isNull(at) || resolved(at).Kind != yaml.ScalarNode {
		r.problem(n, path, secretForms)
		return nil
	}
	where := join(path, key)
	r.at[where] = at
	name, _, ok := r.text(resolved(at), where)
	switch {
	case !ok:
	case key == "file" && name == "":
		r.problem(at, where, "names no file")
	case key == "file":
		return &held{file: r.absolute(name), unread: true}
	case !bareName.MatchString(name):
		r.problem(at, where, "is not the name of an environment variable")
	default:
		return r.fromEnvironment(at, where, name)
	}
	return nil
}

func (r *reader) fromEnvironment(n *yaml.Node, path, name string) *held {
	value, set := r.env(name)
	switch {
	case !set:
		r.problem(n, path, "environment variable %s is not set", name)
	case value == "":
		r.problem(n, path, "environment variable %s is empty", name)
	case !isText(value):
		r.problem(n, path, "environment variable %s "+notText, name)
	default:
		return &held{value: &value, variable: name}
	}
	return nil
}

// hasSecret reports whether a key of the block t is a secret.
func hasSecret(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).Type == secretType {
			return true
		}
	}
	return false
}

// holdsSecret reports whether t is a secret, or holds one without a name or a
// list between.
func holdsSecret(t reflect.Type) bool {
	switch {
	case t == nil:
		return false
	case isSecret(t):
		return true
	case t.Kind() == reflect.Pointer:
		return holdsSecret(t.Elem())
	case t.Kind() == reflect.Map && isSecret(t.Elem()):
		return true
	case !isBlock(t):
		return false
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("yaml") != "-" && holdsSecret(f.Type) {
			return true
		}
	}
	return false
}
