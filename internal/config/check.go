package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"go.yaml.in/yaml/v3"
)

// checker holds what could be read against the rules that no single key can
// tell, brings names to their normal form, and fills in what depends on others.
// It also runs over a file with problems, so that all of them are told at once.
type checker struct {
	*reader
	cfg      *Config
	shared   bool // everybody on the machine can read the file
	warnings []Warning
}

// bad notes a problem at path, unless it follows from one that is told already.
func (k *checker) bad(path, format string, args ...any) {
	if k.readable(path) {
		k.add(k.node(path), path, format, args...)
	}
}

// badName is bad for the name of a named block.
func (k *checker) badName(path, format string, args ...any) {
	n := k.names[path]
	if n == nil {
		n = k.node(path)
	}
	k.add(n, path, format, args...)
}

// warn notes a risk at path.
func (k *checker) warn(path, format string, args ...any) {
	if !k.readable(path) {
		return
	}
	w := Warning{File: k.file, Path: path, Message: fmt.Sprintf(format, args...)}
	if n := k.node(path); n != nil {
		w.Line, w.Column = n.Line, n.Column
	}
	k.warnings = append(k.warnings, w)
}

// readable reports whether path and the blocks around it could be read.
func (k *checker) readable(path string) bool {
	for {
		if k.unread[path] {
			return false
		}
		if path == "" {
			return true
		}
		path = parent(path)
	}
}

// whole reports whether everything in these blocks could be read, so that what
// is not there was not meant to be.
func (k *checker) whole(blocks ...string) bool {
	return !slices.ContainsFunc(blocks, func(b string) bool { return k.marred[b] || !k.readable(b) })
}

// given reports whether the file has a value at path.
func (k *checker) given(path string) bool {
	n := k.at[path]
	return n != nil && !isNull(n)
}

// node is where path stands, or the nearest block around it.
func (k *checker) node(path string) *yaml.Node {
	for {
		if n := k.at[path]; n != nil || path == "" {
			return n
		}
		path = parent(path)
	}
}

func (k *checker) check() {
	c := k.cfg
	k.processNode()
	k.log()
	k.listen()
	k.tls()
	for i, p := range c.TrustedProxies {
		if p.Bits() == 0 && p.IsValid() {
			k.warn(fmt.Sprintf("trusted_proxies[%d]", i), "trusts everybody: any visitor can claim to be any other")
		}
	}
	for _, name := range sortedKeys(c.Origins) {
		k.origin("origins."+name, name, c.Origins[name])
	}
	k.sites()
	k.store()
	k.keys()
	k.chat()
	k.unused()
}

func (k *checker) processNode() {
	n := &k.cfg.Node
	if strings.ContainsFunc(n.Name, isControl) || len(n.Name) > maxName {
		k.bad("node.name", "holds a control character, or is longer than %d", maxName)
	}
	if n.DataDir == "" {
		k.bad("node.data_dir", "must name a folder")
	}
	n.DataDir = k.absolute(n.DataDir)
	if k.cfg.Replay.SpillDir == "" {
		k.cfg.Replay.SpillDir = filepath.Join(n.DataDir, "spill")
		k.derived("replay.spill_dir", "node.data_dir", "/spill")
	}
}

// derived notes that the text at path was made from the one at from and more, so
// that it shows no variable that the other hides.
func (k *checker) derived(path, from, more string) {
	if text, ok := k.written[from]; ok {
		k.written[path] = text + more
	}
}

func (k *checker) log() {
	if k.cfg.Log.Access.File == "" {
		k.bad("log.access.file", "names nothing; write a file, stdout or off")
	}
}

// unused warns of origins that no route names.
func (k *checker) unused() {
	if !k.whole("sites") {
		return
	}
	used := map[string]bool{}
	for _, s := range k.cfg.Sites {
		for _, r := range s.Routes {
			used[r.Origin] = true
		}
	}
	for _, name := range sortedKeys(k.cfg.Origins) {
		if !used[name] {
			k.warn("origins."+name, "no route uses it")
		}
	}
}

// statuses checks a list of them.
func (k *checker) statuses(at string, list []int, low int) {
	seen := map[int]bool{}
	for i, s := range list {
		where := fmt.Sprintf("%s[%d]", at, i)
		if s < low || s > 599 {
			k.bad(where, "%d is not a status that can stand here, %d to 599", s, low)
		} else if seen[s] {
			k.bad(where, "%d stands twice; keep one", s)
		}
		seen[s] = true
	}
}

// plainName is what names of origins look like: they stand in metrics and in levers.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// isToken reports whether s is a token of RFC 9110 section 5.6.2: the name of a
// header or a cookie, or a method.
func isToken(s string) bool { return httpguts.ValidHeaderFieldName(s) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for name := range m {
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}
