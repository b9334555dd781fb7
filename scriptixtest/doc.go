// Package scriptixtest is a fake Scriptix service for tests.
//
// It behaves: an upload becomes a job, the job is uploaded, processing and then completed or failed, a signed callback goes
// out and is retried, the result can be fetched. It is strict: it refuses what the service would refuse, with the documented
// statuses and bodies. And it can be made to misbehave: see [Fault], [Outcome] and [Callback].
//
//	fake := scriptixtest.New(t)
//	client, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()))
//
// With [InMemory] there is no socket at all, so that a whole night of jobs, callbacks and retries runs in milliseconds within
// a testing/synctest bubble.
//
// The fake never makes up a transcript. It answers what [Server.Script] gives, else a placeholder that says so. Nothing that
// it serves is worth anything in production; it listens on loopback only.
package scriptixtest
