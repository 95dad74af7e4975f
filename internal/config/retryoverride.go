package config

import "reflect"

// Apply returns base with the settings that o gives replaced. A nil o changes nothing.
func (o *RetryOverride) Apply(base Retry) Retry {
	if o == nil {
		return base
	}
	from, to := reflect.ValueOf(*o), reflect.ValueOf(&base).Elem()
	for i := range from.NumField() {
		if f := from.Field(i); !f.IsNil() {
			to.FieldByName(from.Type().Field(i).Name).Set(f.Elem())
		}
	}
	return base
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
