package config

import (
	"regexp"
	"strings"
)

// admin checks the admin listener, which b is; ok is false if there is none that
// could be read.
func (k *checker) admin(b binding, ok bool) {
	a := &k.cfg.Admin
	reachable := ok && !b.ip.IsLoopback()
	switch {
	case reachable && a.TLS == nil && k.whole("admin"):
		k.bad("listen.admin", "%s can be reached from other machines, and tokens must not cross a network in the clear; set admin.tls: {cert: FILE, key: FILE}, or listen on 127.0.0.1", b.text)
	case reachable:
		k.warn("listen.admin", "is not on loopback: whoever reaches it can read the metrics; all else needs a token")
	case k.cfg.Listen.Admin == "" && k.readable("listen.admin"):
		for _, key := range []string{"admin.tls", "admin.hosts"} {
			if k.given(key) {
				k.warn(key, "has no use without listen.admin")
			}
		}
	}
	seen := map[string]string{}
	k.hosts("admin.hosts", a.Hosts, seen, false)
}

// credentialName is what systemd takes for the name of a credential that is also
// the name of a file.
var credentialName = regexp.MustCompile(`^[A-Za-z0-9_.:@-]{1,200}$`)

func (k *checker) keys() {
	sources := k.cfg.Keys.Sources()
	for _, purpose := range sortedKeys(sources) {
		at, s := "keys."+purpose, sources[purpose]
		switch {
		case s.File == "" && s.Credential == "" && k.whole(at):
			k.bad(at, "names no source; give it one of file and credential, or take it out: a key is then made")
		case s.File != "" && s.Credential != "":
			k.bad(at, "has file and credential; keep one of them")
		case s.Credential != "" && (!credentialName.MatchString(s.Credential) || strings.Trim(s.Credential, ".") == ""):
			k.bad(at+".credential", "%q is not the name of a credential; for a path, write file", s.Credential)
		}
	}
}
