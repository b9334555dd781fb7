package main

import (
	"context"
	"net"
	"net/url"
	"strings"
)

// callbacks is how a batch hears of the end of its jobs.
type callbacks struct {
	Listen     string `placeholder:"ADDR" help:"Receive callbacks at this address, as :8080."`
	WebhookURL string `name:"webhook-url" placeholder:"URL" help:"Public https address of what listens there. Not needed for a service on this machine."`
	SecretFile string `name:"secret-file" placeholder:"FILE" help:"File that holds the webhook secret, instead of $$SCRIPTIX_WEBHOOK_SECRET."`
}

// open starts to listen, or returns nil where jobs are to be polled.
func (c *callbacks) open(ctx context.Context, e *env, baseURL string) (*receiver, found, error) {
	switch {
	case c.Listen == "" && c.WebhookURL == "":
		return nil, found{}, nil
	case c.Listen == "":
		return nil, found{}, usage("--webhook-url needs --listen, the address here to which it leads")
	case c.WebhookURL == "" && !onLoopback(baseURL):
		return nil, found{}, usage("--listen needs --webhook-url, the address at which the service reaches it")
	}
	secrets, err := e.webhookSecrets(c.SecretFile)
	if err != nil {
		return nil, found{}, err
	}
	r, err := listen(ctx, c.Listen)
	return r, secrets, err
}

// callbackURL is where the service is to send its callbacks.
func (c *callbacks) callbackURL(r *receiver) string {
	if c.WebhookURL != "" {
		return c.WebhookURL
	}
	return r.url()
}

func onLoopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}
