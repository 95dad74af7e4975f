package api

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// pageOf returns the page and its policy as a browser gets them.
func pageOf(t *testing.T) (html, policy string) {
	t.Helper()
	w := newFixture(t).ask(http.MethodGet, "/api/", "")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	return w.Body.String(), w.Header().Get("Content-Security-Policy")
}

func TestPage_LoadsAndRunsNothing(t *testing.T) {
	html, policy := pageOf(t)
	for _, bad := range []string{"<script", "<link", "<img", "<iframe", "<form", "<object", "@import", "url(", " src=", " style="} {
		if i := strings.Index(html, bad); i >= 0 {
			t.Errorf("the page has %s", html[i:min(len(html), i+80)])
		}
	}
	if m := regexp.MustCompile(`<[^>]* on[a-z]+=`).FindString(html); m != "" {
		t.Errorf("the page has %s", m)
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if !strings.HasPrefix(m[1], "#") && !strings.HasPrefix(m[1], "/api/") {
			t.Errorf("the page leads to %s", m[1])
		}
	}
	_, rest, _ := strings.Cut(html, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	hash := sha256.Sum256([]byte(style))
	want := "default-src 'none'; frame-ancestors 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("the policy is\n%s\nand the style would need\n%s", policy, want)
	}
}

func TestPage_ShowsEverything(t *testing.T) {
	html, _ := pageOf(t)
	for _, o := range operationsOf(newFixture(t)) {
		_, part, _ := strings.Cut(html, `<article id="`+o.id+`"`)
		part, _, _ = strings.Cut(part, "</article>")
		for _, want := range []string{o.summary, ">" + o.method + "<", base + o.path, "<strong>" + string(o.role) + "</strong>", "curl --unix-socket", "-H @evergate-token", "<code>401</code>"} {
			if !strings.Contains(strings.ReplaceAll(part, "&#39;", "'"), want) {
				t.Errorf("%s lacks %s", o.id, want)
			}
		}
		if strings.Contains(part, "localhost"+base) {
			_, url, _ := strings.Cut(part, "http://localhost")
			url, _, _ = strings.Cut(url, "&#39;")
			if strings.ContainsAny(url, "{}") {
				t.Errorf("the example of %s asks for %s", o.id, url)
			}
		}
	}
	for _, k := range kinds {
		if !strings.Contains(html, `id="problem-`+k.Name+`"`) {
			t.Errorf("the problem %s is not explained", k.Name)
		}
	}
}

func TestPage_EveryLinkInItLeadsSomewhere(t *testing.T) {
	html, _ := pageOf(t)
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(`\bid="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		ids[m[1]]++
		if ids[m[1]] > 1 {
			t.Errorf("there are two places called %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] == 0 {
			t.Errorf("a link leads to #%s, which is not there", m[1])
		}
	}
	if !strings.Contains(html, `<html lang="en">`) || strings.Count(html, "<h1") != 1 || strings.Count(html, "<main") != 1 {
		t.Error("the page has no language, or not one heading and one main part")
	}
}

// TestPage_CanBeRead wants the contrast of WCAG 2.2, success criterion 1.4.3 (AA):
// 4.5 to 1 for text; and 3 to 1 for lines (1.4.11).
func TestPage_CanBeRead(t *testing.T) {
	css, err := os.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("there are no dark colours")
	}
	for name, part := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z]+): #([0-9a-f]{6});`).FindAllStringSubmatch(part, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, text := range []string{"text", "quiet", "link", "get", "put", "post", "delete", "line"} {
			least := 4.5
			if text == "line" {
				least = 3
			}
			for _, back := range []string{"back", "raised"} {
				a, b := colours[text], colours[back]
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < least && (text != "line" || back == "back") {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", name, text, back, ratio, least)
				}
			}
		}
	}
}

// luminance is the relative luminance of a colour (WCAG 2.2, "relative luminance").
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	var l float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		l += weight * v
	}
	return l
}
