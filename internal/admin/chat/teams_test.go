package chat

import (
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// The MAC was made with another implementation (Python's hmac).
func TestTeams_ProvesAKnownMAC(t *testing.T) {
	dialect, err := newTeams(" " + teamsSecret + "\n")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Authorization", "HMAC 6LKXL+RI7/8uDuwuGI9di/sXgC9IxmVi0KZWzXI6ZXI=")
	if _, err := dialect.read(r, []byte(`{"type":"message","text":"café"}`), start); err == nil || !strings.Contains(err.Error(), "it has no id") {
		t.Errorf("read is %v, want that it lacks an id, and so was proved", err)
	}
	r.Header.Set("Authorization", "HMAC 6LKXL+RI7/8uDuwuGI9di/sXgC9IxmVi0KZWzXI6ZXJ=")                    // the same bytes
	if _, err := dialect.read(r, []byte(`{"type":"message","text":"café"}`), start); err != errUnproved { //nolint:errorlint // as it is
		t.Errorf("another spelling of the MAC: %v", err)
	}
}

func TestTeams_KnowsGuestsByTheirOtherId(t *testing.T) {
	d := newDesk(t)
	c := testConfig()
	c.Users[2].Teams = "29:1XJKsomething"
	var err error
	if d.handler, err = d.endpoint.Handler(c); err != nil {
		t.Fatal(err)
	}
	text, _ := d.says(teamsRaw(d.teamsBody("", "<at>Evergate</at> status", map[string]any{"from": map[string]any{"id": "29:1XJKsomething"}})))
	want(t, text, "door-1 is serving")
}

func TestTeams_TellsMessagesOfTwoConversationsApart(t *testing.T) {
	d := newDesk(t)
	for _, conversation := range []string{"19:a@thread.skype", "19:b@thread.skype"} {
		text, _ := d.says(teamsRaw(d.teamsBody(adaTeams, "<at>Evergate</at> status", map[string]any{"id": "1485983408511", "conversation": map[string]any{"id": conversation}})))
		want(t, text, "door-1 is serving")
	}
	text, _ := d.says(teamsRaw(d.teamsBody(adaTeams, "<at>Evergate</at> "+command15m, map[string]any{"id": "1485983408511", "conversation": map[string]any{"id": "19:b@thread.skype"}})))
	want(t, text, "taken this very command before") // an edited message has the id of the first
}

func TestTeamsText(t *testing.T) {
	tests := []struct{ sent, want string }{
		{"<at>Evergate</at> status\n", " status"},
		{"<at>Evergate</at>&nbsp;status", " status"},
		{`<at id="0">Ever gate</at> status`, " status"},
		{"<at>Ever</at> <at>gate</at> status", "  status"},
		{"<p><at>Evergate</at> set x 1<br/>because <b>it burns</b></p>", "  set x 1 because it burns "},
		{"<at>Evergate</at> set x 1 because <at>Ada</at> said so", " set x 1 because Ada said so"},
		{"<at>Evergate</at> set x 1 because 3 &lt; 4 &amp; 5 &gt; 4", " set x 1 because 3 < 4 & 5 > 4"},
		{"<at>Evergate</at> set x 1 because 3 < 4", " set x 1 because 3 < 4"},
		{"<at>Evergate</at> set x &quot;a&quot; because &lt;at&gt;y&lt;/at&gt;", ` set x "a" because <at>y</at>`},
		{"<at>Evergate", "Evergate"},
		{"status", "status"},
	}
	for _, tt := range tests {
		if got := teamsText(tt.sent); got != tt.want {
			t.Errorf("%q is read as %q, want %q", tt.sent, got, tt.want)
		}
	}
}

// FuzzTexts holds that no text makes the readers of texts stumble, and that what
// they read can be cleaned or refused.
func FuzzTexts(f *testing.F) {
	for _, seed := range []string{"<at>E</at> status", "<a|b> <@U|x>", "<", "<>", "&lt;<p", "<at><at></at>", "&#0;", "&#x202e;", "\xff<at>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []string{teamsText(text), slackText.Replace(slackLinks(text))} {
			if cleaned, err := clean(read); err == nil && (!utf8.ValidString(cleaned) || strings.ContainsAny(cleaned, "\x00\n\r\u202e")) {
				t.Errorf("%q is read as %q", text, cleaned)
			}
		}
	})
}

func TestTeams_Writes(t *testing.T) {
	a := teams{}.write(answer{public: true, text: "5 < 6\n<at>x</at> & \"y\"", table: "a  <b>"}).(teamsAnswer)
	if want := "5 &lt; 6<br/>&lt;at&gt;x&lt;/at&gt; &amp; &#34;y&#34;<pre>a  &lt;b&gt;</pre>"; a.Text != want || a.Type != "message" || a.TextFormat != "xml" {
		t.Errorf("written as %+v, want %q", a, want)
	}
}
