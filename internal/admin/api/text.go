package api

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxReason = 500 // characters

// reason is one line that says something. The document bounds it already; what it
// cannot say is that blanks say nothing.
func reason(text string) (string, error) {
	text = strings.TrimSpace(text)
	if n := utf8.RuneCountInString(text); n == 0 || n > maxReason || !utf8.ValidString(text) {
		return "", &InvalidError{Field: "reason", Message: fmt.Sprintf("say why, in 1 to %d characters, for those who read the history", maxReason)}
	}
	if i := strings.IndexFunc(text, unseen); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return "", &InvalidError{Field: "reason", Message: fmt.Sprintf("want one line of characters that can be seen; there is a %U", r)}
	}
	return text, nil
}

// oneLine reports whether text is one line of 1 to most characters that a person
// can see.
func oneLine(text string, most int) bool {
	return strings.TrimSpace(text) != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= most && !strings.ContainsFunc(text, unseen)
}

// unseen reports whether r steers a terminal or a page instead of being seen:
// controls, and those that turn the direction, join, or have no width (Unicode
// general categories Cc and Cf), and ends of lines and paragraphs (Zl, Zp). Who reads
// a history must see what is in it. The price is that a few emoji and words of some
// languages need these and are refused.
func unseen(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
