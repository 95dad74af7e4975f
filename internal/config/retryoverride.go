package config

// Apply returns base with the settings that o gives replaced. A nil o changes nothing.
func (o *RetryOverride) Apply(base Retry) Retry {
	if o == nil {
		return base
	}
	replace(&base.Attempts, o.Attempts)
	replace(&base.On, o.On)
	replace(&base.Statuses, o.Statuses)
	replace(&base.IdempotencyKey, o.IdempotencyKey)
	replace(&base.Idempotent, o.Idempotent)
	replace(&base.NonIdempotent, o.NonIdempotent)
	replace(&base.Timeout, o.Timeout)
	replace(&base.TryTimeout, o.TryTimeout)
	replace(&base.MinTry, o.MinTry)
	replace(&base.Backoff, o.Backoff)
	replace(&base.Replay, o.Replay)
	replace(&base.HoldResponse, o.HoldResponse)
	replace(&base.HoldBody, o.HoldBody)
	replace(&base.GenerateKey, o.GenerateKey)
	replace(&base.NotProcessedHeader, o.NotProcessedHeader)
	replace(&base.DryRun, o.DryRun)
	return base
}

func replace[T any](at, with *T) {
	if with != nil {
		*at = *with
	}
}

// RetryFor is the retry policy of requests on route: its origin's, with its own
// overrides. The zero value if the route has no origin.
func (c *Config) RetryFor(route *Route) Retry {
	o := c.Origins[route.Origin]
	if o == nil {
		return Retry{}
	}
	return route.Retry.Apply(o.Retry)
}
