package chat

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const mattermostScheme = "Token"

// mattermost is a custom slash command of Mattermost. It signs nothing: each request
// carries the command's token, as the field token and, unless the server holds OAuth
// credentials for us, as "Authorization: Token ..." (developers.mattermost.com,
// "Custom slash commands"). Whoever reads one request can make others, so they must
// come by TLS. Answers other than 200 are not shown.
type mattermost struct {
	token  string
	secure func(*http.Request) bool
}

func (mattermost) mediaType() string { return "application/x-www-form-urlencoded" }

func (m mattermost) read(r *http.Request, body []byte, _ time.Time) (message, error) {
	// The form has the token, so here it must be parsed before anything is proved.
	form, err := parseForm(body)
	if err != nil {
		return message{}, errUnproved
	}
	token, err := form.one("token")
	if err != nil || !same(token, m.token) {
		return message{}, errUnproved
	}
	for _, header := range r.Header.Values("Authorization") {
		scheme, value, _ := strings.Cut(header, " ")
		if strings.EqualFold(scheme, mattermostScheme) && !same(value, m.token) {
			return message{}, errUnproved
		}
	}
	if !m.secure(r) {
		return message{}, fmt.Errorf("%w: whoever saw it knows the token now; make a new one in Mattermost, and let the command's URL begin with https", errPlain)
	}

	fields, err := form.all("user_id", "text", "trigger_id")
	if err != nil {
		return message{}, err
	}
	if fields[2] == "" {
		return message{}, fmt.Errorf("%w: it has no trigger_id, by which a copy of it could be known", errMalformed)
	}
	return message{users: []string{fields[0]}, text: fields[1], key: sha256.Sum256([]byte(fields[2]))}, nil
}

// same compares two secrets in a time that says nothing about either.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (mattermost) write(a answer) any {
	text := markdown(a.text)
	if a.table != "" {
		text += "\n\n```\n" + noFence(a.table) + "\n```"
	}
	return slashAnswer{ResponseType: responseType(a), Text: text, SkipParsing: true}
}

// markdown escapes what Mattermost would not show as it stands: marks of its
// Markdown, and mentions, which would wake people.
func markdown(text string) string {
	var b strings.Builder
	before := ' '
	for i, r := range text {
		after, _ := utf8.DecodeRuneInString(text[i+utf8.RuneLen(r):])
		switch r {
		case '\\', '`', '*', '#', '~', '|':
			b.WriteByte('\\')
		case '_': // inside of a word it is no mark, and names of levers are full of them
			if !wordy(before) || !wordy(after) {
				b.WriteByte('\\')
			}
		case '(':
			if before == ']' {
				b.WriteByte('\\')
			}
		}
		b.WriteRune(r)
		if r == '@' && !wordy(before) {
			b.WriteRune('\u200b') // a space without width: there is no escape for mentions
		}
		before = r
	}
	return b.String()
}

func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
