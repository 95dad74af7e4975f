package api

// Reload is how a reload went.
type Reload struct {
	OK       bool         `json:"ok" doc:"false: the old configuration is still in use."`
	Config   string       `json:"config" doc:"Path of the configuration file."`
	Problems List[string] `json:"problems" doc:"Why it is not in use, each with file, line and key where there is one."`
	Warnings List[string] `json:"warnings" doc:"What the operator should know all the same."`
	Changes  List[string] `json:"changes" doc:"What changed: listeners opened and closed, and the like."`
	Levers   List[string] `json:"levers" doc:"Levers that override the file, or whose value in the file changed: both values, and who set the lever."`
	Seconds  float64      `json:"seconds" doc:"How long it took."`
}

// RefusedReload is the problem that a reload kept the old configuration for, with
// the members of both.
type RefusedReload struct {
	Problem
	Reload
}
