package config

import "fmt"

// finding is what is wrong, or risky, with a retry policy.
type finding struct {
	key     string // below retry
	message string
	risk    bool // a warning, not a problem
}

// retryFindings checks what a policy's keys say together. It is asked about the
// policy of an origin and about what a route makes of it.
func retryFindings(r Retry) []finding {
	var all []finding
	bad := func(key, format string, args ...any) {
		all = append(all, finding{key: key, message: fmt.Sprintf(format, args...)})
	}
	risk := func(key, message string) { all = append(all, finding{key, message, true}) }

	seen := map[int]bool{}
	for i, s := range r.Statuses {
		if s < 400 || s > 599 {
			bad(fmt.Sprintf("statuses[%d]", i), "%d is not a status that can stand here, 400 to 599", s)
		} else if seen[s] {
			bad(fmt.Sprintf("statuses[%d]", i), "%d stands twice; keep one", s)
		}
		seen[s] = true
	}
	if r.TryTimeout > r.Timeout {
		bad("try_timeout", "is longer than timeout (%s), the time for all attempts", r.Timeout)
	}
	if r.Attempts > 1 && r.TryTimeout == r.Timeout {
		risk("try_timeout", "is as long as timeout: an attempt that takes too long is never tried again")
	}
	if r.Attempts > 1 && r.MinTry >= r.Timeout {
		bad("min_try", "is not shorter than timeout (%s): nothing would ever be tried again", r.Timeout)
	}
	if r.Backoff.Max < r.Backoff.Base {
		bad("backoff.max", "is shorter than base (%s)", r.Backoff.Base)
	}
	if !isToken(r.NotProcessedHeader) {
		bad("not_processed_header", "%q is not the name of a header", r.NotProcessedHeader)
	}
	if len(r.NonIdempotent) > 0 {
		risk("non_idempotent", "a POST may be applied twice: a connection cut short, or a 502, 503 or 504, may mean \"done, but slow\"; use it only where the application can bear that")
	}
	if r.Idempotent {
		risk("idempotent", "every POST may be sent twice: true only if the application itself takes care of repeats")
	}
	return all
}

// tell notes a finding about the policy at path.
func (k *checker) tell(at string, f finding) {
	if f.risk {
		k.warn(at+"."+f.key, "%s", f.message)
	} else {
		k.bad(at+"."+f.key, "%s", f.message)
	}
}
