package chat

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/config"
)

const (
	limitBurst = 10              // commands that one person may send at once
	limitEvery = 3 * time.Second // and then one in each
)

// person is somebody who may give commands.
type person struct {
	actor string
	role  token.Role
	limit *rate.Limiter // of all programs together
}

// people are the persons by program and id.
type people map[Program]map[string]*person

// newPeople reads the users of the configuration, or says which is wrong.
func newPeople(users []*config.ChatUser) (people, error) {
	all := people{Slack: {}, Mattermost: {}, Teams: {}}
	limits := map[string]*rate.Limiter{} // by actor
	for i, u := range users {
		role, err := token.ParseRole(u.Role)
		switch {
		case err != nil:
			return nil, fmt.Errorf("chat.users[%d]: %w", i, err)
		case u.Actor == "":
			return nil, fmt.Errorf("chat.users[%d] has no actor: say by which name the history of levers should know this user", i)
		}
		if limits[u.Actor] == nil {
			limits[u.Actor] = rate.NewLimiter(rate.Every(limitEvery), limitBurst)
		}
		p := &person{actor: u.Actor, role: role, limit: limits[u.Actor]}
		for program, id := range map[Program]string{Slack: u.Slack, Mattermost: u.Mattermost, Teams: teamsUser(u.Teams)} {
			if id == "" {
				continue
			}
			if was := all[program][id]; was != nil {
				return nil, fmt.Errorf("chat.users[%d]: the %s id %q of %s is that of %s already", i, program, id, u.Actor, was.actor)
			}
			all[program][id] = p
		}
	}
	return all, nil
}

// mayChange reports whether the person may turn levers, and not only look.
func (p *person) mayChange() bool { return p.role.May(token.Operator) }

// find returns who has one of the ids, or nil.
func (p people) find(program Program, ids []string) *person {
	for _, id := range ids {
		if found := p[program][id]; id != "" && found != nil {
			return found
		}
	}
	return nil
}
