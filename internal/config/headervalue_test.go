package config

import (
	"fmt"
	"testing"
)

func TestHeaderValue_ShowsWhatIsNoSecret(t *testing.T) {
	c := parse(t, `
listen: {http: ":80"}
sites:
  - hosts: [a]
    headers:
      request:
        set: {X-Env: prod, Authorization: Bearer hunter2, x_api_key: hunter2, X-Port: "is ${PORT}", X-Kept: "$${PORT}", X-From: {env: SECRET}}
    routes: [{path: /, respond: {}, match: {X-Secret-Preview: hunter2, X-Beta: "*"}}]
`)
	set, match := c.Sites[0].Headers.Request.Set, c.Sites[0].Routes[0].Match
	for name, want := range map[string][2]string{
		"X-Env": {"prod", "prod"}, "Authorization": {"Bearer hunter2", "***"}, "x_api_key": {"hunter2", "***"},
		"X-Port": {"is 8080", "***"}, "X-Kept": {"${PORT}", "${PORT}"}, "X-From": {"hunter2/of+the=environment", "***"},
	} {
		if got := [2]string{set[name].Reveal(), set[name].String()}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if match["X-Secret-Preview"].String() != "***" || match["X-Beta"].String() != "*" {
		t.Errorf("match %v", match)
	}
	if got := fmt.Sprintf("%v %s %q %#v", set["X-Env"], set["X-Env"], set["X-Env"], set["X-Env"]); got != `prod prod "prod" config.HeaderValue("prod")` {
		t.Errorf("printed %s", got)
	}
	if v := (HeaderValue{}); v.String() != "" || v.Reveal() != "" {
		t.Errorf("no value shows as %q", v.String())
	}
}
