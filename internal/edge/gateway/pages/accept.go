package pages

import (
	"strconv"
	"strings"
)

// wantsHTML reports whether the Accept fields (RFC 9110 section 12.5.1) name HTML,
// and prefer it to JSON. Browsers name it; programs that accept anything get
// JSON, which is easier to read for them and no harder for people at a terminal.
func wantsHTML(accept []string) bool {
	html, json := 0.0, 0.0
	for _, line := range accept {
		for line != "" {
			var item string
			item, line, _ = strings.Cut(line, ",")
			media, params, _ := strings.Cut(item, ";")
			q := quality(params)
			switch media = strings.ToLower(strings.TrimSpace(media)); media {
			case "text/html", "application/xhtml+xml", "text/*":
				html = max(html, q)
			case "application/json", "application/problem+json", "application/*":
				json = max(json, q)
			}
		}
	}
	return html > 0 && html >= json
}

// quality is the q of the parameters, 1 without one, 0 for one that is no number.
func quality(params string) float64 {
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return q
		}
	}
	return 1
}
