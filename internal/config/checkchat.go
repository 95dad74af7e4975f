package config

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// shortestTeams is the least that a Teams secret is long, in bytes, once decoded.
const shortestTeams = 16

func (k *checker) chat() {
	c := k.cfg.Chat
	if c == nil {
		return
	}
	site := k.chatSite(c)
	k.chatPath(c, site)
	k.programs(c)
	k.users(c)
}

// chatSite brings the name to the form of the sites' hosts, and returns the index
// of the site that has it, -1 for none.
func (k *checker) chatSite(c *Chat) int {
	if c.Site == "" {
		return -1 // told by the reader
	}
	normal, ok := hostPattern(c.Site, true)
	if ok {
		c.Site = normal
		for i, s := range k.cfg.Sites {
			for _, h := range s.Hosts {
				if h == normal {
					return i
				}
			}
		}
	}
	if k.readable("sites") && k.readable("chat.site") {
		k.bad("chat.site", "%q is not among the hosts of sites; name one of them", c.Site)
	}
	return -1
}

func (k *checker) chatPath(c *Chat, site int) {
	if c.Path == "" {
		return // told by the reader
	}
	subject, prefix, problem := pathPattern(c.Path)
	switch {
	case problem != "":
		k.bad("chat.path", "%q %s", c.Path, problem)
	case prefix:
		k.bad("chat.path", "%q stands for many paths; write one, without \"/*\"", c.Path)
	case subject == "/":
		k.bad("chat.path", "\"/\" is the first page of the site; take a path of its own")
	case site >= 0:
		for i, r := range k.cfg.Sites[site].Routes {
			if other, otherPrefix, problem := pathPattern(r.Path); problem == "" && !otherPrefix && other == subject {
				k.warn("chat.path", "sites[%d].routes[%d] has the same path and is never reached: commands come first", site, i)
			}
		}
	}
}

func (k *checker) programs(c *Chat) {
	if c.Slack == nil && c.Mattermost == nil && c.Teams == nil && k.whole("chat") {
		k.bad("chat", "listens to nobody; give it at least one of slack, mattermost and teams")
	}
	if c.Slack != nil {
		k.needed("chat.slack.signing_secret", c.Slack.SigningSecret)
	}
	if c.Mattermost != nil {
		k.needed("chat.mattermost.token", c.Mattermost.Token)
		if len(k.cfg.Listen.HTTPS) == 0 && k.whole("listen") {
			k.bad("chat.mattermost", "needs listen.https: Mattermost signs nothing, so whoever reads a command in the clear could give any other")
		}
	}
	if c.Teams != nil {
		k.needed("chat.teams.secret", c.Teams.Secret)
		k.revealed("chat.teams.secret", c.Teams.Secret, func(text string) string {
			if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err != nil || len(key) < shortestTeams {
				return "is not what Teams shows for a webhook: base64, about 44 characters, with \"=\" at the end"
			}
			return ""
		})
	}
	if c.Mattermost == nil && len(k.cfg.Listen.HTTPS) == 0 && k.whole("listen") {
		k.warn("chat", "without listen.https, commands and their answers cross the network in the clear")
	}
}

// needed wants a secret that must not be empty. That it is missing was told.
func (k *checker) needed(path string, s Secret) {
	if !s.IsZero() {
		k.exposed(path, s)
	} else if k.at[path] != nil {
		k.bad(path, "must not be empty")
	}
}

// The ids that the programs give their users.
var (
	slackID      = regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`)
	mattermostID = regexp.MustCompile(`^[a-z0-9]{26}$`)
	teamsID      = regexp.MustCompile(`^[!-~]{8,200}$`)
)

// unseen reports whether r steers a terminal or a page instead of being seen
// (Unicode general categories Cc and Cf). In an actor's name the history of levers
// would refuse it.
func unseen(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) }

func (k *checker) users(c *Chat) {
	first := map[string]string{}
	for i, u := range c.Users {
		at := fmt.Sprintf("chat.users[%d]", i)
		if strings.ContainsFunc(u.Actor, unseen) || len(u.Actor) > maxName || strings.TrimSpace(u.Actor) != u.Actor {
			k.bad(at+".actor", "begins or ends with a space, holds a character that cannot be seen, or is longer than %d", maxName)
		}
		var given []string
		for _, one := range []struct {
			program, id string
			form        *regexp.Regexp
			example     string
			on          bool
		}{
			{"slack", u.Slack, slackID, "a member id such as U012AB3CD, from the profile", c.Slack != nil},
			{"mattermost", u.Mattermost, mattermostID, "26 small letters and digits, from the system console", c.Mattermost != nil},
			{"teams", u.Teams, teamsID, "the object id of the user in the directory", c.Teams != nil},
		} {
			where := at + "." + one.program
			if one.id == "" && !k.given(where) {
				continue
			}
			given = append(given, one.program)
			key := one.program + " " + strings.ToLower(one.id) // Teams writes its ids in either case
			switch {
			case !one.form.MatchString(one.id):
				k.bad(where, "%q is not an id: %s; names can be changed by anybody", one.id, one.example)
			case !one.on && k.whole("chat"):
				k.bad(where, "has no use without chat.%s", one.program)
			case first[key] != "":
				k.bad(where, "%s is already %s", one.id, first[key])
			default:
				first[key] = where
			}
		}
		switch {
		case len(given) == 0 && k.whole(at):
			k.bad(at, "has no id; give it one of slack, mattermost and teams")
		case len(given) > 1:
			k.bad(at, "has %s; keep one of them, and write the person once more for the other", strings.Join(given, " and "))
		}
	}
}
