package pages

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

func write(t *testing.T, s *Set, method, accept string, p Page) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	w.Header().Set("Etag", `"of what is not sent"`)
	w.Header().Set("Content-Encoding", "br")
	s.Write(w, r, p)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b := make([]byte, 1<<20)
	n, _ := res.Body.Read(b)
	return string(b[:n])
}

func builtinSet(t *testing.T) *Set {
	t.Helper()
	s, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWrite_PeopleGetHTML(t *testing.T) {
	res := write(t, builtinSet(t), "GET", browser, Page{Status: 503, Reason: "queue_full", RequestID: "01j<x>", RetryAfter: 1500 * time.Millisecond})
	text := body(t, res)
	for _, want := range []string{`<html lang="en">`, "<h1>Very busy right now</h1>", "01j&lt;x&gt;", "2 seconds", "Status 503"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for name, want := range map[string]string{
		"Retry-After": "2", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Vary": "Accept",
		"Etag": "", "Content-Encoding": "", "Content-Length": strconv.Itoa(len(text)),
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(text, "http://") || strings.Contains(text, "https://") || strings.Contains(text, "src=") {
		t.Error("the page loads something from elsewhere")
	}
}

func TestWrite_MaintenancePromisesNoSeconds(t *testing.T) {
	res := write(t, builtinSet(t), "GET", browser, Page{Status: 503, Reason: "maintenance", Message: "Back at noon.", RetryAfter: time.Minute})
	if text := body(t, res); !strings.Contains(text, "Back at noon.") || strings.Contains(text, "seconds") {
		t.Errorf("the page says\n%s", text)
	}
	if got := res.Header.Get("Retry-After"); got != "60" {
		t.Errorf("Retry-After is %q, want 60", got)
	}
}

func TestWrite_ProgramsGetJSON(t *testing.T) {
	res := write(t, builtinSet(t), "GET", "*/*", Page{Status: 404, Reason: "no_route", RequestID: "01j"})
	var got problem
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := problem{Type: "about:blank", Title: "Page not found", Status: 404, Detail: byStatus[404].message, Reason: "no_route", RequestID: "01j"}
	if got != want || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("Retry-After") != "" {
		t.Errorf("got %+v with %v, want %+v", got, res.Header, want)
	}
}

func TestWrite_HeadHasNoBody(t *testing.T) {
	res := write(t, builtinSet(t), "HEAD", browser, Page{Status: 404})
	if b := body(t, res); b != "" || res.Header.Get("Content-Length") == "0" {
		t.Errorf("body %q, Content-Length %s", b, res.Header.Get("Content-Length"))
	}
}

func TestWrite_EveryStatusHasATitle(t *testing.T) {
	for status := 400; status < 600; status++ {
		if http.StatusText(status) == "" {
			continue
		}
		if text := body(t, write(t, builtinSet(t), "GET", browser, Page{Status: status})); strings.Contains(text, "<h1></h1>") {
			t.Errorf("%d has no title", status)
		}
	}
}

func TestNew_OwnTemplate(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "page.html")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s, err := New(file("<p>{{.Status}} {{.Title}} {{.Message}} {{.RequestID}} {{.Seconds}} {{.Reason}}</p>"))
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, write(t, s, "GET", browser, Page{Status: 503, Title: "<T>", Message: "M", RequestID: "R", RetryAfter: 9 * time.Second, Reason: "x"})); got != "<p>503 &lt;T&gt; M R 9 x</p>" {
		t.Errorf("page is %q", got)
	}

	t.Run("one that cannot be parsed is an error", func(t *testing.T) {
		if _, err := New(file("{{.Status")); err == nil {
			t.Error("no error")
		}
	})
	t.Run("one with a field that does not exist is an error", func(t *testing.T) {
		if _, err := New(file("{{.Nothing}}")); err == nil {
			t.Error("no error")
		}
	})
	t.Run("one that is not there is an error", func(t *testing.T) {
		if _, err := New(filepath.Join(t.TempDir(), "none")); err == nil {
			t.Error("no error")
		}
	})
	t.Run("one that fails for some page gives way to the built-in one", func(t *testing.T) {
		s, err := New(file(`half a page {{if eq .Status 404}}{{index .Title 1000}}{{end}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, write(t, s, "GET", browser, Page{Status: 404})); !strings.Contains(got, "<h1>Page not found</h1>") || strings.Contains(got, "half") {
			t.Errorf("page is %q", got)
		}
	})
}

func TestWantsHTML(t *testing.T) {
	tests := []struct {
		name   string
		accept []string
		want   bool
	}{
		{"a browser names HTML", []string{browser}, true},
		{"curl takes anything", []string{"*/*"}, false},
		{"no Accept at all", nil, false},
		{"JSON only", []string{"application/json"}, false},
		{"JSON preferred", []string{"text/html;q=0.5, application/json"}, false},
		{"HTML preferred, over two lines", []string{"application/json;q=0.5", "TEXT/HTML ; q=0.7"}, true},
		{"HTML refused", []string{"text/html;q=0"}, false},
		{"a quality that is no number counts as refusal", []string{"text/html;q=x"}, false},
	}
	for _, tt := range tests {
		if got := wantsHTML(tt.accept); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

func FuzzWantsHTML(f *testing.F) {
	f.Add(browser)
	f.Add(";;q=,=,q==;q=2,text/html;q=NaN")
	f.Fuzz(func(t *testing.T, accept string) { wantsHTML([]string{accept, accept}) })
}

// TestColours keeps the contrast of WCAG 2.2, success criterion 1.4.3 (4.5:1).
func TestColours(t *testing.T) {
	themes := regexp.MustCompile(`--ground: (#\w+); --text: (#\w+); --quiet: (#\w+);`).FindAllStringSubmatch(builtin, -1)
	if len(themes) != 2 {
		t.Fatalf("%d themes found, want light and dark", len(themes))
	}
	for _, theme := range themes {
		for _, ink := range theme[2:] {
			a, b := luminance(t, theme[1]), luminance(t, ink)
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
				t.Errorf("%s on %s has a contrast of %.1f, want 4.5", ink, theme[1], ratio)
			}
		}
	}
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(colour[1:], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	part := func(shift uint) float64 {
		c := float64(n>>shift&255) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}
