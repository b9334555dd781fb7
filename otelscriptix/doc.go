// Package otelscriptix shows what a scriptix client does to OpenTelemetry. It
// needs OpenTelemetry's API alone; where traces and metrics go is decided by the
// program's SDK.
//
// Each call of the API is a client span with the attributes of the HTTP semantic
// conventions; all attempts of a request are one span, and http.request.resend_count
// tells how many more there were. Each job is a span of its own, from the moment at
// which the service accepted the recording to the moment at which the client
// learned of the end, with a link to the callback that reported it. No span and no
// metric holds a key, a secret, a URL's query or a word of a transcript.
//
// The metrics:
//
//	scriptix.budget.limit, .used, .left   requests, by window (minute, hour, day)
//	scriptix.jobs.waiting                 jobs that somebody waits for
//	scriptix.jobs.lateness                seconds from a job's end to when it was learned, by source
//	scriptix.polls.sent, .wasted          questions, and those of them that found nothing
//	scriptix.callbacks                    callbacks, by verdict (accepted, refused, failed)
//	scriptix.callbacks.duplicates         callbacks for jobs that had ended
//	scriptix.submits.unknown              submits whose outcome is unknown
package otelscriptix
