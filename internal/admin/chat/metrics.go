package chat

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome says what became of a request; the words are those of the metric and the log.
type outcome string

const (
	done      outcome = "done"         // a change was made
	told      outcome = "told"         // a question was answered
	refused   outcome = "refused"      // not understood, or the operator's side said no
	forbidden outcome = "forbidden"    // the role does not allow it
	stranger  outcome = "unknown_user" // by nobody whom the configuration knows
	limited   outcome = "limited"      // too many commands of one person
	replayed  outcome = "replayed"     // taken before, or too old to tell
	full      outcome = "full"         // too many to remember, or under way
	unproved  outcome = "unauthorized" // signature or token
	malformed outcome = "malformed"    // not as a chat program sends it
	late      outcome = "late"         // answered before it was done
	broken    outcome = "error"        // the operator's side could not
)

// metrics are the figures of the endpoint. Labels are words of two closed lists.
type metrics struct{ commands *prometheus.CounterVec }

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{commands: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "evergate_chat_commands_total",
		Help: "Requests to the chat endpoint, by program (unknown: it could not be told) and what became of them.",
	}, []string{"program", "outcome"})}
	if reg != nil {
		if err := reg.Register(m.commands); err != nil {
			return nil, fmt.Errorf("register the metrics of chat: %w", err)
		}
	}
	return m, nil
}

// count counts one request; p is "" when the program could not be told.
func (m *metrics) count(p Program, o outcome) {
	if p == "" {
		p = "unknown"
	}
	m.commands.WithLabelValues(string(p), string(o)).Inc()
}
