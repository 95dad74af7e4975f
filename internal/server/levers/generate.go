package levers

//go:generate go test -run ^TestReference_IsCurrent$ -update .
