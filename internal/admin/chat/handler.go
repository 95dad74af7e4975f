package chat

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

// Handler returns the handler of one generation of the configuration, or an error
// that names the key that is wrong. No secret of c is in an error, a log line or an
// answer. It answers within 3 s whatever the operator's side does, and:
//
//   - 200 with a text to every request that its program has proved: the programs show
//     a person no answer but that;
//   - 400, 401, 405, 413 and 415 to all others, without details, and 403 to a
//     Mattermost that comes without TLS.
func (e *Endpoint) Handler(c *config.Chat) (http.Handler, error) {
	people, err := newPeople(c.Users)
	if err != nil {
		return nil, err
	}
	h := &handler{Endpoint: e, people: people, dialects: map[Program]dialect{}}
	// An empty secret, which anybody could sign with, is refused by the configuration
	// as well; here is where it would do harm.
	if c.Slack != nil {
		secret := c.Slack.SigningSecret.Reveal()
		if secret == "" {
			return nil, errors.New("chat.slack.signing_secret is empty: take it from the app's Basic Information")
		}
		h.dialects[Slack] = slack{[]byte(secret)}
	}
	if c.Mattermost != nil {
		token := c.Mattermost.Token.Reveal()
		if token == "" {
			return nil, errors.New("chat.mattermost.token is empty: take it from the slash command in Mattermost")
		}
		h.dialects[Mattermost] = mattermost{token, e.secure}
	}
	if c.Teams != nil {
		if h.dialects[Teams], err = newTeams(c.Teams.Secret.Reveal()); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// handler serves one generation.
type handler struct {
	*Endpoint
	people   people
	dialects map[Program]dialect
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now() // not the clock: it is compared with a timer
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodPost {
		// Slack looks from time to time whether the certificate is good.
		if r.Method == http.MethodGet && r.URL.RawQuery == "ssl_check=1" && h.dialects[Slack] != nil {
			return
		}
		w.Header().Set("Allow", http.MethodPost)
		h.turnAway(w, r, "", http.StatusMethodNotAllowed, malformed, "method "+r.Method)
		return
	}
	claimed := claims(r.Header)
	if len(claimed) != 1 || h.dialects[claimed[0]] == nil {
		h.turnAway(w, r, "", http.StatusUnauthorized, unproved, "its headers are of no program of the configuration, or of several")
		return
	}
	program, dialect := claimed[0], h.dialects[claimed[0]]
	// What is signed is the body as sent, and nobody sends one of these packed.
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != dialect.mediaType() || r.Header.Get("Content-Encoding") != "" {
		h.turnAway(w, r, program, http.StatusUnsupportedMediaType, malformed, "content type")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		h.turnAway(w, r, program, status, malformed, err.Error())
		return
	}
	m, err := dialect.read(r, body, h.clock.Now())
	switch {
	case err == nil:
		h.reply(w, dialect, program, h.take(r, program, m, begun))
	case errors.Is(err, errMalformed):
		h.turnAway(w, r, program, http.StatusBadRequest, malformed, err.Error())
	case errors.Is(err, errPlain):
		h.turnAway(w, r, program, http.StatusForbidden, unproved, err.Error())
	case errors.Is(err, errStale):
		h.turnAway(w, r, program, http.StatusUnauthorized, replayed, err.Error())
	default:
		h.turnAway(w, r, program, http.StatusUnauthorized, unproved, err.Error())
	}
}

// take judges a message that its program has vouched for, and runs what it says.
func (h *handler) take(r *http.Request, program Program, m message, begun time.Time) answer {
	log := h.log.With("program", program, "request", exchange.From(r.Context()).ID)
	if m.probe {
		return private(told, "Evergate is here.")
	}
	who := h.people.find(program, m.users)
	if who == nil {
		id := m.shownID()
		h.inside.Warn(h.clock.Now(), log, "chat command of somebody unknown", "user", id, "outcome", stranger)
		return private(stranger, "Evergate does not know you, so nothing was done. If you should be able to give commands, ask those who run it to add your %s id %s to chat.users.", program, id)
	}
	log = log.With("actor", who.actor, "role", who.role)

	// A copy must not use up what its owner may send, so the memory is asked first.
	now, memory := h.clock.Now(), h.memories[program]
	err := memory.look(m, now)
	if err == nil {
		if !who.limit.AllowN(now, 1) {
			h.inside.Warn(now, log, "chat command over the limit", "outcome", limited)
			return private(limited, "Nothing was done: those were too many commands in a short time. Wait some seconds and send it again.")
		}
		err = memory.take(m, now)
	}
	switch {
	case errors.Is(err, errReplayed):
		h.inside.Warn(now, log, "chat command refused", "why", err, "outcome", replayed)
		return private(replayed, "Nothing was done: Evergate has taken this very command before. To repeat it, type it anew.")
	case errors.Is(err, errEarlier):
		log.Warn("chat command refused", "why", err, "outcome", replayed)
		return private(replayed, "Nothing was done: Evergate has just started and cannot know whether it took this command before. Please type it again.")
	case err != nil:
		h.inside.Warn(now, log, "chat command refused", "why", err, "outcome", full)
		return private(full, "Nothing was done: Evergate has taken more commands than it can remember, and so could not tell a copy of one. Use the command line (evergate) or the API until older ones are forgotten.")
	}

	c, err := parse(m.text)
	if err != nil {
		log.Info("chat command not understood", "outcome", refused)
		return private(refused, "%s", err)
	}
	log = log.With("command", c.verb, "lever", c.lever())
	if c.changes() {
		log = log.With("value", cut(c.value, 200), "for", c.revert, "reason", c.reason)
	}
	return h.run(program, who, c, begun, log)
}

// reply sends an answer in the words of its program.
func (h *handler) reply(w http.ResponseWriter, d dialect, program Program, a answer) {
	h.metrics.count(program, a.outcome)
	body, err := json.Marshal(d.write(a))
	if err != nil { // of a struct of strings: cannot be
		h.log.Error("write a chat answer", "error", err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(body) // an error is a chat program that has left
}

// turnAway answers a request that no program has proved. The log says why, the
// answer does not.
func (h *handler) turnAway(w http.ResponseWriter, r *http.Request, program Program, status int, o outcome, why string) {
	h.metrics.count(program, o)
	h.outside.Warn(h.clock.Now(), h.log, "chat request turned away", "program", program, "status", status, "why", why, "request", exchange.From(r.Context()).ID)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, http.StatusText(status)+"\n") // an error is somebody who has left
}
