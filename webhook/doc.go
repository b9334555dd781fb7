// Package webhook receives the callbacks of the Scriptix batch API: it checks the signature, reads the event and
// answers the sender. It needs the standard library alone, so a receiver service can import it without the client.
//
// # A receiver service
//
// [NewHandler] is the whole receiver. It hands each authentic event to your function and answers 200 only after that
// function returned nil, so store the event there, durably, before you return:
//
//	h, err := webhook.NewHandler(store, []string{os.Getenv("SCRIPTIX_WEBHOOK_SECRET")})
//	if err != nil {
//		return err
//	}
//	mux.Handle("/scriptix", h)
//
// Give the http.Server around it a ReadHeaderTimeout, and a WriteTimeout above 15 s: the handler itself spends at most
// 5 s on reading the body and 10 s on your function. Behind another router or framework use the parts: [NewVerifier]
// once at the start, [Verifier.Verify] on the body as it was received, then [Parse]. A body that was decoded and
// encoded again has another signature.
//
// Put several secrets in while you rotate them: a callback that any of them signed is authentic. To test your own
// receiver, sign a body with [Sign].
//
// # Retries and duplicates
//
// The service sends a callback up to four times: at once, then 1, 5 and 15 minutes after each failure. What was
// answered with 200 can come again, and events can come out of order. Make your function idempotent on the job's id
// ([Data].ID) and the event's type, and return nil for a job or an event that it does not know: an error only brings
// the same event back. A 4xx may never be retried, so whatever could succeed later is answered with 503.
//
// # No replay window
//
// The signature covers the body and nothing else. There is no signed time of sending: the body's timestamp is the
// event's, and it stays the same on a retry. The third retry comes 21 minutes after the first try, so a window of the
// usual five minutes would refuse legitimate callbacks and lose jobs. This package has none. A replayed callback is a
// duplicate like any other: it tells again how a job has ended, and an idempotent receiver changes nothing. For the
// same reason a callback carries no transcript: fetch that from the API, which is asked with your key.
//
// # When no callback comes
//
// Callbacks are lost while a receiver is down for longer than 21 minutes, and the service may send none for a failed
// job. Polling is the fallback, and it is STT.Wait of the root package, github.com/scriptix-io/scriptix-go: it takes
// the callback or a poll, whichever comes first, and asks the API only when an answer is due. A program that uses the
// client mounts its WebhookHandler, or hands what it received elsewhere to the client's Deliver.
package webhook
