package config

// Chat is the endpoint for commands from a chat, on a public site.
type Chat struct {
	// Site on which it is: one of the hosts of sites, as it stands there.
	Site string `yaml:"site" required:"true"`
	// Path of the endpoint, such as "/chat/commands". Only this very path is taken, before any route and in maintenance too; routes below it stay.
	Path string `yaml:"path" required:"true"`
	// A Slack app with a slash command.
	Slack *Slack `yaml:"slack"`
	// A Mattermost slash command. It signs nothing, so it is only taken by https.
	Mattermost *Mattermost `yaml:"mattermost"`
	// A Microsoft Teams outgoing webhook.
	Teams *Teams `yaml:"teams"`
	// Who may give commands; nobody else.
	Users []*ChatUser `yaml:"users" required:"true"`
}

// Slack is a Slack app.
type Slack struct {
	// Signing secret of the app ("Basic Information").
	SigningSecret Secret `yaml:"signing_secret" required:"true"`
}

// Mattermost is a Mattermost slash command.
type Mattermost struct {
	// Token of the command.
	Token Secret `yaml:"token" required:"true"`
}

// Teams is a Microsoft Teams outgoing webhook.
type Teams struct {
	// Security token of the webhook, in base64 as Teams shows it.
	Secret Secret `yaml:"secret" required:"true"`
}

// ChatUser is somebody who may give commands: exactly one of slack, mattermost
// and teams, with the id, never the name, which anybody can change.
type ChatUser struct {
	// Id of the Slack user, such as U012AB3CD.
	Slack string `yaml:"slack"`
	// Id of the Mattermost user, 26 letters and digits.
	Mattermost string `yaml:"mattermost"`
	// Id of the Teams user, the object id of the directory.
	Teams string `yaml:"teams"`
	// Name of the person, as it stands in the history of levers.
	Actor string `yaml:"actor" required:"true"`
	// What the person may do. viewer and auditor read; operator also turns levers; admin does everything.
	Role string `yaml:"role" required:"true" enum:"viewer|operator|auditor|admin"`
}
