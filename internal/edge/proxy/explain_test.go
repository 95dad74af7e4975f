package proxy

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/evergate/evergate/internal/config"
)

// TestExplain is the table of the guide, section 3.1.
func TestExplain(t *testing.T) {
	key := http.Header{"Idempotency-Key": {"1"}}
	upgrade := http.Header{"Upgrade": {"websocket"}}
	tests := []struct {
		name, method string
		header       http.Header
		retry        string
		want         string // classes that are retried; 4 with its status and sign
	}{
		{"GET", "GET", nil, "", "[0 1 2 3 3 3 4/502 4/503 4/504 4/503+Retry-After 4/500+Evergate-Not-Processed]"},
		{"PUT", "PUT", nil, "", "[0 1 2 3 3 3 4/502 4/503 4/504 4/503+Retry-After 4/500+Evergate-Not-Processed]"},
		{"plain POST", "POST", nil, "", "[0 1 4/503+Retry-After 4/500+Evergate-Not-Processed]"},
		{"POST with a key that nobody accepts", "POST", key, "", "[0 1 4/503+Retry-After 4/500+Evergate-Not-Processed]"},
		{"POST with a key", "POST", key, "idempotency_key: accept", "[0 1 2 3 3 3 4/502 4/503 4/504 4/503+Retry-After 4/500+Evergate-Not-Processed]"},
		{"PATCH that may be repeated", "PATCH", nil, "idempotent: true", "[0 1 2 3 3 3 4/502 4/503 4/504 4/503+Retry-After 4/500+Evergate-Not-Processed]"},
		{"POST, partial", "POST", nil, "non_idempotent: [partial]", "[0 1 2 4/503+Retry-After 4/500+Evergate-Not-Processed]"},
		{"POST, no_response", "POST", nil, "non_idempotent: [no_response]", "[0 1 3 3 3 4/503+Retry-After 4/500+Evergate-Not-Processed]"},
		{"POST, status", "POST", nil, "non_idempotent: [status]", "[0 1 4/502 4/503 4/504 4/503+Retry-After 4/500+Evergate-Not-Processed]"},
		{"an upgrade", "GET", upgrade, "", "[0 1]"},
		{"only connect errors", "GET", nil, "on: [connect]", "[0 1]"},
		{"one attempt", "GET", nil, "attempts: 1", "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "listen: {http: ':80'}\norigins: {a: {servers: ['http://h'], retry: {" + tt.retry + "}}}\nsites: [{hosts: [s], routes: [{path: /*, origin: a}]}]\n"
			cfg, _, err := config.Parse("f", "/", []byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, v := range Explain(cfg.Origins["a"], nil, tt.method, tt.header) {
				if !v.Retry {
					continue
				}
				row := fmt.Sprint(int(v.Class))
				if v.Status != 0 {
					row += fmt.Sprintf("/%d", v.Status)
				}
				if v.Sign != "" {
					row += "+" + v.Sign
				}
				got = append(got, row)
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("retried: %v, want %s", got, tt.want)
			}
		})
	}
}
