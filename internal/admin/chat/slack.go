package chat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	slackSignature = "X-Slack-Signature"
	slackTimestamp = "X-Slack-Request-Timestamp"
)

// slack is a slash command of a Slack app. Slack signs "v0:TIME:BODY" with
// HMAC-SHA256 under the app's signing secret, and sends "v0=" and the MAC in hex
// (api.slack.com/authentication/verifying-requests-from-slack). Answers other than
// 200 show as an error of the app (api.slack.com/interactivity/slash-commands).
type slack struct{ secret []byte }

func (slack) mediaType() string { return "application/x-www-form-urlencoded" }

func (s slack) read(r *http.Request, body []byte, now time.Time) (message, error) {
	signature, ok := only(r.Header, slackSignature)
	stamp, ok2 := only(r.Header, slackTimestamp)
	if !ok || !ok2 {
		return message{}, errUnproved
	}
	mac := hmac.New(sha256.New, s.secret)
	fmt.Fprintf(mac, "v0:%s:", stamp)
	mac.Write(body)
	var sum key
	mac.Sum(sum[:0])
	// As text: a MAC has one way to be written, so upper case is not Slack.
	if !hmac.Equal([]byte(signature), []byte("v0="+hex.EncodeToString(sum[:]))) {
		return message{}, errUnproved
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return message{}, fmt.Errorf("%w: the time is no number", errMalformed)
	}
	sent := time.Unix(seconds, 0)
	if !near(sent, now) {
		return message{}, fmt.Errorf("%w: by %s; if this goes on, compare this machine's clock", errStale, now.Sub(sent).Round(time.Second))
	}

	form, err := parseForm(body)
	if err != nil {
		return message{}, err
	}
	fields, err := form.all("user_id", "text", "ssl_check")
	if err != nil {
		return message{}, err
	}
	return message{
		users: []string{fields[0]},
		text:  slackText.Replace(slackLinks(fields[1])),
		key:   sum,
		sent:  sent,
		probe: fields[2] == "1",
	}, nil
}

// slackText undoes the only three escapes that Slack makes.
var slackText = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// slackLinks puts what was typed back where Slack has made it a link or a mention
// ("<http://10.0.0.1|10.0.0.1>", "<@U024BE7LH|ada>"): a command set up with
// "Escape channels, users, and links" has these. A "<" that was typed comes as
// "&lt;", so none is lost.
func slackLinks(text string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "<")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		inside, after, ok := strings.Cut(rest, ">")
		if !ok {
			b.WriteString("<" + rest)
			return b.String()
		}
		target, label, labelled := strings.Cut(inside, "|")
		switch {
		case !labelled:
			b.WriteString(target)
		case strings.HasPrefix(target, "@"), strings.HasPrefix(target, "#"):
			b.WriteString(target[:1] + label)
		default:
			b.WriteString(label)
		}
		text = after
	}
}

// slashAnswer is what Slack and Mattermost read; Slack takes no notice of the last field.
type slashAnswer struct {
	ResponseType string `json:"response_type"` // "ephemeral": who typed it sees it; "in_channel": all do
	Text         string `json:"text"`
	SkipParsing  bool   `json:"skip_slack_parsing,omitempty"` // Mattermost: the text is not Slack's markup
}

func responseType(a answer) string {
	if a.public {
		return "in_channel"
	}
	return "ephemeral"
}

func (slack) write(a answer) any {
	// "<" begins all that Slack acts on in a text: mentions of everybody, links.
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	text := escape.Replace(a.text)
	if a.table != "" {
		text += "\n```\n" + escape.Replace(noFence(a.table)) + "\n```"
	}
	return slashAnswer{ResponseType: responseType(a), Text: text}
}

// noFence keeps a table from closing the code block that it stands in.
func noFence(table string) string { return strings.ReplaceAll(table, "```", "'''") }
