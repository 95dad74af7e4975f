package token

import (
	"fmt"
	"strings"
)

// Role is what somebody may do. The words are those of the configuration and of
// the API.
type Role string

// The roles. Auditor stands beside operator and not below it: who checks does not
// act.
const (
	Viewer   Role = "viewer"   // reads
	Operator Role = "operator" // reads, turns levers, reloads
	Auditor  Role = "auditor"  // reads; later the audit as well
	Admin    Role = "admin"    // everything, tokens included
)

// Roles returns all roles, the smallest first.
func Roles() []Role { return []Role{Viewer, Operator, Auditor, Admin} }

// ParseRole returns the role with this name. The error names those that there are.
func ParseRole(name string) (Role, error) {
	var names []string
	for _, r := range Roles() {
		if string(r) == name {
			return r, nil
		}
		names = append(names, string(r))
	}
	return "", fmt.Errorf("role %q is none of %s", name, strings.Join(names, ", "))
}

// May reports whether somebody with role r may do what needs role need. The zero
// Role may nothing, and nobody may what needs a role that does not exist.
func (r Role) May(need Role) bool {
	switch need {
	case Viewer:
		return r == Viewer || r == Operator || r == Auditor || r == Admin
	case Operator:
		return r == Operator || r == Admin
	case Auditor:
		return r == Auditor || r == Admin
	case Admin:
		return r == Admin
	}
	return false
}
