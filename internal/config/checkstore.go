package config

import (
	"net/url"
	"strings"
)

func (k *checker) store() {
	s := &k.cfg.Store
	k.revealed("store.url", s.URL, func(text string) string {
		shown, problem := databaseURL(text)
		if strings.Contains(shown, redacted) || strings.Contains(text, "password=") {
			k.exposed("store.url", s.URL)
		}
		return problem
	})
	if s.PollOnly && s.URL.IsZero() && k.whole("store") {
		k.bad("store.poll_only", "has no use without store.url: SQLite notifies within the process")
	}
}

// exposed warns of a secret that stands in a file that everybody can read.
func (k *checker) exposed(path string, s Secret) {
	_, expanded := k.written[path]
	if k.shared && s.held.file == "" && s.held.variable == "" && !expanded {
		k.warn(path, "everybody on this machine can read this file; write {file: PATH} or {env: NAME} for the secret, or take that right away: chmod o-r")
	}
}

// revealed asks problem about the value of a secret that is there and was read.
// What problem says must not repeat the value.
func (k *checker) revealed(path string, s Secret, problem func(text string) string) {
	if s.IsZero() || s.held.unread {
		return
	}
	if message := problem(s.Reveal()); message != "" {
		k.bad(path, "%s", message)
	}
}

// noDatabase repeats nothing of the URL: a password in which "@", "/" or "#" is
// not percent-encoded makes any part of it look like any other.
const noDatabase = "is not the address of a PostgreSQL database; write postgres://user:password@host/database, with what is special in the password percent-encoded (\"/\" is %2F, \"@\" is %40, \"#\" is %23)"

// seenParameters are those of a database URL that may be seen.
var seenParameters = []string{"host", "port", "dbname", "user", "sslmode", "target_session_attrs", "connect_timeout", "application_name"}

// databaseURL reads the URL of a PostgreSQL database, several hosts and sockets
// included. shown is what may be seen of it: no password, and of the parameters
// only those that are known to be open. problem says what is wrong, "" if nothing is.
func databaseURL(text string) (shown, problem string) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Opaque != "" || u.Fragment != "" ||
		!strings.HasPrefix(text, u.Scheme+"://") || strings.ContainsFunc(text, isControl) {
		return "", noDatabase
	}
	query, err := url.ParseQuery(u.RawQuery)
	database := strings.TrimPrefix(u.Path, "/")
	if err != nil || strings.ContainsAny(database, "/@") || strings.Contains(u.RawQuery, "@") || strings.Contains(u.Host, "@") {
		return "", noDatabase
	}
	if u.Host == "" && query.Get("host") == "" {
		return "", "names no host; write postgres://user:password@host/database, or ?host=/run/postgresql for a socket"
	}
	seen := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	var parts []string
	for _, name := range seenParameters {
		for _, value := range query[name] {
			parts = append(parts, name+"="+strings.ReplaceAll(url.QueryEscape(value), "%2F", "/"))
		}
	}
	seen.RawQuery = strings.Join(parts, "&")
	if u.User == nil {
		return seen.String(), ""
	}
	name := url.User(u.User.Username()).String()
	if _, has := u.User.Password(); has {
		name += ":" + redacted
	}
	return strings.Replace(seen.String(), "://", "://"+name+"@", 1), ""
}
