package chat

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxText   = 4000 // bytes of a command
	maxReason = 500  // runes
)

// verb is what a command does.
type verb string

// The verbs.
const (
	help    verb = "help"
	status  verb = "status"
	levers  verb = "levers"
	origins verb = "origins"
	get     verb = "get"
	set     verb = "set"
	reset   verb = "reset"
	drain   verb = "drain"
	enable  verb = "enable"
	disable verb = "disable"
)

// usage is the grammar, by verb, in the order in which help shows it.
var usage = []struct {
	verb       verb
	form, does string
}{
	{status, "status", "how this node is, what is not well, and which levers are set"},
	{origins, "origins [NAME]", "origins and their servers"},
	{levers, "levers [PART]", "levers that are set; with a part of a name, all that have it"},
	{get, "get LEVER", "one lever: its value, the file's, who set it and why"},
	{set, "set LEVER VALUE [for 15m] because REASON", "turn a lever, until it is reset or for a time"},
	{reset, "reset LEVER because REASON", "give a lever back to the configuration file"},
	{drain, "drain ORIGIN SERVER [for 15m] because REASON", "no new visitors for a server, and those there finish"},
	{disable, "disable ORIGIN SERVER [for 15m] because REASON", "take a server out at once"},
	{enable, "enable ORIGIN SERVER [for 15m] because REASON", "take a server back in"},
	{help, "help", "this list"},
}

// command is a command that was understood.
type command struct {
	verb   verb
	name   string        // of the lever or origin; of levers and origins, what to look for, or ""
	server string        // of drain, disable and enable, as typed
	value  string        // of set; may be ""
	revert time.Duration // 0: it stays
	reason string        // one line, 1 to 500 runes, of those that change something
}

// changes reports whether the command changes anything.
func (c command) changes() bool {
	switch c.verb {
	case set, reset, drain, enable, disable:
		return true
	}
	return false
}

// lever returns the name of the lever that the command means.
func (c command) lever() string {
	if c.server != "" {
		return "origins." + c.name + ".servers[" + c.server + "].state"
	}
	return c.name
}

// String returns the command as it could be typed; parse understands it.
func (c command) String() string {
	words := []string{string(c.verb)}
	for _, word := range []string{c.name, c.server} {
		if word != "" {
			words = append(words, quote(word))
		}
	}
	if c.verb == set {
		words = append(words, quote(c.value))
	}
	if c.revert > 0 {
		words = append(words, "for", brief(c.revert))
	}
	if c.reason != "" {
		words = append(words, "because")
		if strings.ContainsAny(c.reason, quotes) {
			words = append(words, c.reason)
		} else { // so that nothing in it is taken for a time
			words = append(words, `"`+c.reason+`"`)
		}
	}
	return strings.Join(words, " ")
}

// quote puts a word in quotes where it would not be read as one word otherwise.
func quote(word string) string {
	if word == "" || strings.ContainsRune(word, ' ') || keyword(word) {
		return `"` + word + `"`
	}
	return word
}

func keyword(word string) bool { return strings.EqualFold(word, "for") || isBecause(word) }

// isBecause takes "because:" for "because", as people type it.
func isBecause(word string) bool { return strings.EqualFold(strings.TrimSuffix(word, ":"), "because") }

// parse reads a command as it was typed, without the name by which it was called.
// Verbs, "for" and "because" are known in any case. The error is a *Refusal that says
// what to type instead. Two commands are the same when their String is.
func parse(text string) (command, error) {
	if len(text) > maxText {
		return command{}, refusal("The command is too long: it has %d bytes, and %d are the most.", len(text), maxText)
	}
	text, err := clean(text)
	if err != nil {
		return command{}, err
	}
	r := &words{rest: text}
	first, err := r.next()
	if err != nil {
		return command{}, err
	}
	if called := strings.ToLower(first.text); called == "/evergate" || called == "evergate" {
		if first, err = r.next(); err != nil {
			return command{}, err
		}
	}
	c := command{verb: verb(strings.ToLower(first.text))}
	switch c.verb {
	case "":
		c.verb = help
		return c, nil
	case help, status:
		return c, r.end()
	case levers, origins:
		c.name, err = r.optional()
	case get:
		c.name, err = r.need(c.verb)
	case set:
		err = r.words(&c, &c.name, &c.value)
	case reset:
		err = r.words(&c, &c.name)
	case drain, enable, disable:
		err = r.words(&c, &c.name, &c.server)
	default:
		return command{}, refusal("There is no command %q. Type help to see those there are.", cut(first.text, 40))
	}
	if err != nil {
		return command{}, err
	}
	return c, nil
}

// form returns the grammar of a verb.
func (v verb) form() string {
	for _, u := range usage {
		if u.verb == v {
			return u.form
		}
	}
	return string(v)
}

// refusal returns an error whose text is for the person who typed.
func refusal(format string, args ...any) *Refusal { return &Refusal{fmt.Sprintf(format, args...)} }

// cut returns at most n runes of s, with a sign of it when there were more.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "..."
}
