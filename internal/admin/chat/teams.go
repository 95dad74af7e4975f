package chat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"
)

const teamsScheme = "HMAC"

// teams is an outgoing webhook of Microsoft Teams. Teams sends "Authorization: HMAC
// ..." with the HMAC-SHA256 of the body in base64, under the key that it has shown in
// base64 (learn.microsoft.com, "Create an Outgoing Webhook"). The body is an activity
// of the Bot Framework, with the time in it. Teams waits 5 s for an answer, which
// appears below the message for all to see: it knows no other kind.
type teams struct{ key []byte }

// newTeams returns the dialect for a secret as Teams has shown it.
func newTeams(secret string) (teams, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(secret))
	if err != nil || len(key) < 16 {
		// The decoder's own error would show where the secret has which byte.
		return teams{}, errors.New("chat.teams.secret is not what Teams has shown: that is base64, 44 characters, the last one =")
	}
	return teams{key}, nil
}

func (teams) mediaType() string { return "application/json" }

// activity is the part of an activity that matters here.
type activity struct {
	Type      string `json:"type"`
	ID        string `json:"id"`        // unique in its conversation
	Timestamp string `json:"timestamp"` // RFC 3339
	Text      string `json:"text"`
	From      struct {
		ID     string `json:"id"`
		Object string `json:"aadObjectId"` // of the directory; missing for some guests
	} `json:"from"`
	Conversation struct {
		ID string `json:"id"`
	} `json:"conversation"`
}

func (t teams) read(r *http.Request, body []byte, now time.Time) (message, error) {
	header, ok := only(r.Header, "Authorization")
	_, sent, _ := strings.Cut(header, " ")
	if !ok {
		return message{}, errUnproved
	}
	mac := hmac.New(sha256.New, t.key)
	mac.Write(body)
	// As text: base64 can be written in more than one way, and Teams writes one.
	if !hmac.Equal([]byte(sent), []byte(base64.StdEncoding.EncodeToString(mac.Sum(nil)))) {
		return message{}, errUnproved
	}

	var a activity
	if err := json.Unmarshal(body, &a); err != nil {
		return message{}, fmt.Errorf("%w: the JSON cannot be read", errMalformed)
	}
	stamp, err := time.Parse(time.RFC3339, a.Timestamp)
	switch {
	case a.Type != "message":
		return message{}, fmt.Errorf("%w: it is no message", errMalformed)
	case a.ID == "":
		return message{}, fmt.Errorf("%w: it has no id, by which a copy of it could be known", errMalformed)
	case err != nil:
		return message{}, fmt.Errorf("%w: it has no time, by which a copy of it could be known", errMalformed)
	case !near(stamp, now):
		return message{}, fmt.Errorf("%w: by %s; if this goes on, compare this machine's clock", errStale, now.Sub(stamp).Round(time.Second))
	}
	return message{
		users: []string{teamsUser(a.From.Object), teamsUser(a.From.ID)},
		text:  teamsText(a.Text),
		key:   sha256.Sum256([]byte(a.Conversation.ID + "\x00" + a.ID)),
		sent:  stamp,
	}, nil
}

// teamsUser returns an id in the form in which ids are compared: those of the
// directory are UUIDs, and shown in either case.
func teamsUser(id string) string {
	if len(id) == 36 && strings.Count(id, "-") == 4 {
		return strings.ToLower(id)
	}
	return id
}

// teamsText returns what was typed: a message begins with the mention of the webhook
// ("<at>Evergate</at> status"), and may be HTML.
func teamsText(text string) string {
	text = strings.TrimSpace(strings.ReplaceAll(text, "&nbsp;", " "))
	var b strings.Builder
	addressed := true // still in the mentions at the beginning, which are not part of the command
	for text != "" {
		before, rest, ok := strings.Cut(text, "<")
		b.WriteString(before)
		if strings.TrimSpace(before) != "" {
			addressed = false
		}
		if !ok {
			break
		}
		tag, after, ok := strings.Cut(rest, ">")
		name := strings.ToLower(strings.Trim(tag, "/"))
		name, _, _ = strings.Cut(name, " ")
		if !ok || !tagName(name) { // a "<" that nobody has escaped
			b.WriteByte('<')
			addressed = false
			text = rest
			continue
		}
		text = after
		switch {
		case name == "at" && addressed && !strings.HasPrefix(tag, "/"):
			if _, behind, ok := strings.Cut(after, "</at>"); ok {
				text = behind
			}
		case name == "br", name == "p", name == "div":
			b.WriteByte(' ')
		}
	}
	return html.UnescapeString(b.String())
}

func tagName(s string) bool {
	if s == "" || len(s) > 10 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s[0] >= 'a'
}

// teamsAnswer is an activity that answers.
type teamsAnswer struct {
	Type       string `json:"type"`
	TextFormat string `json:"textFormat"`
	Text       string `json:"text"`
}

func (teams) write(a answer) any {
	text := strings.ReplaceAll(html.EscapeString(a.text), "\n", "<br/>")
	if a.table != "" {
		text += "<pre>" + html.EscapeString(a.table) + "</pre>"
	}
	return teamsAnswer{Type: "message", TextFormat: "xml", Text: text}
}
