package cli

import (
	"fmt"
	"strings"
	"testing"
)

func TestValidate_PrintsAllProblemsAtOnce(t *testing.T) {
	path := write(t, `listen: {http: ":80", htps: ":443"}
limits: {header_bytes: 1TiB}
origins:
  app:
    servers: []
sites:
  - hosts: [shop.example.org]
    routes:
      - {path: /*, origin: shop}
      - {path: cart, origin: app}
`)
	code, stdout, stderr := run("validate", "--config", path)
	if code != exitUsage || stdout != "" {
		t.Errorf("code %d, stdout %q", code, stdout)
	}
	for _, want := range []string{
		":1:23: listen.htps: ", ":2:24: limits.header_bytes: ", ":5:14: origins.app.servers: ",
		":9:28: sites[0].routes[0].origin: ", ":10:16: sites[0].routes[1].path: ",
		fmt.Sprintf("5 problems in %s", path),
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is missing in\n%s", want, stderr)
		}
	}
}

func TestValidate_WarnsAndSucceeds(t *testing.T) {
	path := write(t, strings.Replace(good, `app: {`, `app: {retry: {non_idempotent: [status]}, `, 1))
	code, stdout, stderr := run("validate", "-c", path)
	if code != exitOK || !strings.Contains(stdout, " is good: ") {
		t.Errorf("code %d, stdout %q", code, stdout)
	}
	if !strings.HasPrefix(stderr, "warning: "+path+":") || !strings.Contains(stderr, "non_idempotent") {
		t.Errorf("stderr %q", stderr)
	}
}

func TestValidate_ReadsTheFilesThatAreNamed(t *testing.T) {
	path := write(t, good+"pages: {template: missing.html}\n")
	code, _, stderr := run("validate", "-c", path)
	if code != exitUsage || !strings.Contains(stderr, "pages.template: read page template: ") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}
