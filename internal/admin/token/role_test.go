package token

import "testing"

func TestRole_May(t *testing.T) {
	tests := map[Role]map[Role]bool{ // who, what is needed
		Viewer:   {Viewer: true, Operator: false, Auditor: false, Admin: false},
		Operator: {Viewer: true, Operator: true, Auditor: false, Admin: false},
		Auditor:  {Viewer: true, Operator: false, Auditor: true, Admin: false},
		Admin:    {Viewer: true, Operator: true, Auditor: true, Admin: true},
		"":       {Viewer: false, Operator: false, Auditor: false, Admin: false, "": false},
		"root":   {Viewer: false, Operator: false, Auditor: false, Admin: false, "root": false},
	}
	for who, needs := range tests {
		for need, want := range needs {
			if who.May(need) != want {
				t.Errorf("%q may what needs %q: %t", who, need, !want)
			}
		}
	}
	if Admin.May("") || Admin.May("root") {
		t.Error("a need that nobody knows is met")
	}
}

func TestParseRole(t *testing.T) {
	for _, r := range Roles() {
		if got, err := ParseRole(string(r)); got != r || err != nil {
			t.Errorf("%s: %s, %v", r, got, err)
		}
	}
	for _, name := range []string{"", "root", "Admin", "admin "} {
		if got, err := ParseRole(name); err == nil || got != "" {
			t.Errorf("%q: %s", name, got)
		}
	}
}
