package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean returns a command on one line with plain spaces: chat programs put spaces
// that do not break, spaces without width and marks of direction between words. It
// refuses control characters and what is no UTF-8, which nobody types.
func clean(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", refusal("The command is not UTF-8 text. Type it anew.")
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Z, r): // U+00A0, U+202F, U+3000, line breaks
			b.WriteByte(' ')
		case unicode.Is(unicode.Cf, r): // U+200B, U+FEFF, U+202E: seen by nobody, so meant by nobody
		case unicode.IsControl(r):
			return "", refusal("The command has a control character (U+%04X) in it. Type it anew.", r)
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String()), nil
}

// quotes are the marks that begin or end a quoted word. Chat programs make the
// straight one into one of the others.
const quotes = "\"“”„‟«»"

// word is one word of a command.
type word struct {
	text   string
	quoted bool
}

// words reads a clean command word by word.
type words struct{ rest string }

// next returns the next word without its quotes, or an empty one without quotes at
// the end.
func (w *words) next() (word, error) {
	w.rest = strings.TrimLeft(w.rest, " ")
	first, size := utf8.DecodeRuneInString(w.rest)
	if w.rest == "" || !strings.ContainsRune(quotes, first) {
		text, rest, _ := strings.Cut(w.rest, " ")
		w.rest = rest
		return word{text: text}, nil
	}
	inside := w.rest[size:]
	end := strings.IndexAny(inside, quotes)
	if end < 0 {
		return word{}, refusal("A quote was opened and not closed: %s", cut(w.rest, 60))
	}
	_, size = utf8.DecodeRuneInString(inside[end:])
	if w.rest = inside[end+size:]; w.rest != "" && w.rest[0] != ' ' {
		return word{}, refusal("After a closing quote comes a space, and here comes: %s", cut(w.rest, 60))
	}
	return word{inside[:end], true}, nil
}

// end refuses what comes after a whole command.
func (w *words) end() error {
	if rest := strings.TrimSpace(w.rest); rest != "" {
		return refusal("This is more than the command takes: %s", cut(rest, 60))
	}
	return nil
}

// optional returns the last word, or "".
func (w *words) optional() (string, error) {
	word, err := w.next()
	if err != nil {
		return "", err
	}
	return word.text, w.end()
}

// need returns the last word, which must be there.
func (w *words) need(v verb) (string, error) {
	text, err := w.optional()
	if err == nil && text == "" {
		err = refusal("Something is missing. It goes: %s", v.form())
	}
	return text, err
}

// words reads the words of a command that changes something into places, then the
// time and the reason into c.
func (w *words) words(c *command, places ...*string) error {
	for _, place := range places {
		word, err := w.next()
		if err != nil {
			return err
		}
		// Only a value may be empty, and only in quotes.
		if word.text == "" && !(word.quoted && place == &c.value) || !word.quoted && keyword(word.text) {
			return refusal("Something is missing. It goes: %s", c.verb.form())
		}
		*place = word.text
	}
	return w.why(c)
}

// why reads "[for TIME] because REASON".
func (w *words) why(c *command) error {
	next, err := w.next()
	if err != nil {
		return err
	}
	if !next.quoted && strings.EqualFold(next.text, "for") {
		if c.verb == reset {
			return refusal("A reset stays: the lever is the file's again. To turn it for a time, type: %s", set.form())
		}
		if next, err = w.time(c); err != nil {
			return err
		}
	}
	switch {
	case next.text == "" && !next.quoted:
		return refusal("A reason is missing: your team reads it in the history. It goes: %s", c.verb.form())
	case next.quoted || !isBecause(next.text):
		return refusal("I did not understand %q. It goes: %s. A value with spaces in it stands in quotes.", cut(next.text, 60), c.verb.form())
	}
	return w.reason(c)
}

// time reads the words of a duration, and returns the word after them.
func (w *words) time(c *command) (word, error) {
	var typed []string
	for {
		next, err := w.next()
		if err != nil {
			return word{}, err
		}
		if next.quoted || next.text == "" || isBecause(next.text) {
			c.revert, err = duration(strings.Join(typed, " "))
			return next, err
		}
		typed = append(typed, strings.TrimSuffix(next.text, ","))
	}
}

// reason takes all the rest, with or without quotes around it.
func (w *words) reason(c *command) error {
	reason := strings.TrimSpace(w.rest)
	bare, quoted := unquote(reason)
	reason = strings.TrimSpace(bare)
	length := utf8.RuneCountInString(reason)
	switch {
	case length == 0:
		return refusal("The reason is empty: your team reads it in the history. It goes: %s", c.verb.form())
	case length > maxReason:
		return refusal("The reason has %d characters, and %d are the most.", length, maxReason)
	}
	if typed, ok := trailingTime(reason); ok && !quoted && c.revert == 0 && c.verb != reset {
		// Taken as a part of the reason it would leave a lever turned that somebody
		// believes to go back by itself.
		return refusal("Nothing was changed: %q stands behind the reason. For a time, type it before: %s. If it belongs to the reason, put the reason in quotes.",
			typed, c.verb.form())
	}
	c.reason = reason
	return nil
}

// unquote takes the quotes from a text that stands in quotes as a whole.
func unquote(text string) (bare string, quoted bool) {
	first, size := utf8.DecodeRuneInString(text)
	if text == "" || !strings.ContainsRune(quotes, first) {
		return text, false
	}
	end := strings.IndexAny(text[size:], quotes)
	if end < 0 {
		return text, false
	}
	if _, last := utf8.DecodeRuneInString(text[size+end:]); size+end+last != len(text) {
		return text, false
	}
	return text[size : size+end], true
}
