package webhook_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
)

// A receiver service: the handler, and a server with timeouts around it.
func ExampleNewHandler() {
	var db *sql.DB // yours
	store := func(ctx context.Context, e webhook.Event) error {
		switch e.Type {
		case webhook.TranscriptionCompleted, webhook.TranscriptionFailed:
			// Once it stands where a crash does not lose it, nil is the sender's 200. A duplicate changes nothing.
			_, err := db.ExecContext(ctx, `INSERT INTO ended (job, event, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
				e.Data.ID, string(e.Type), e.Raw)
			return err
		default:
			return nil // an event of a later day: acknowledge it
		}
	}
	h, err := webhook.NewHandler(store, []string{os.Getenv("SCRIPTIX_WEBHOOK_SECRET")},
		webhook.MaxInFlight(16),
		webhook.OnReject(func(_ *http.Request, err error) { log.Print(err) }))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/scriptix", h)
	s := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 20 * time.Second}
	log.Fatal(s.ListenAndServe())
}

// In a framework of your own: a Verifier made once, and the body as it was received.
func ExampleNewVerifier() {
	// Both secrets are good while the service is moved from the old one to the new one.
	v, err := webhook.NewVerifier("whsec_new", "whsec_old")
	if err != nil {
		log.Fatal(err)
	}

	body := []byte(`{"event":"transcription.completed","data":{"id":"stt_abc123","duration_seconds":90}}`)
	signature := webhook.Sign("whsec_old", body) // in life: the request's webhook.SignatureHeader

	if err := v.Verify(body, signature); err != nil {
		log.Fatal(err)
	}
	e, err := webhook.Parse(body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v)
	fmt.Println(e.Type, e.Data.ID, e.Data.Duration)
	// Output:
	// webhook.Verifier(2 secrets)
	// transcription.completed stt_abc123 1m30s
}

func ExampleVerify() {
	body := []byte(`{"event":"ping"}`)
	signature := webhook.Sign("whsec_example", body)

	fmt.Println(webhook.Verify(body, signature, "whsec_example"))
	err := webhook.Verify(append(body, '\n'), signature, "whsec_example")
	fmt.Println(errors.Is(err, webhook.ErrMismatch))
	fmt.Println(errors.Is(webhook.Verify(body, "", "whsec_example"), webhook.ErrNoSignature))
	fmt.Println(errors.Is(webhook.Verify(body, signature, ""), webhook.ErrNoSecret))
	// Output:
	// <nil>
	// true
	// true
	// true
}

// Your own handler's test, in five lines.
func ExampleSign() {
	yours, _ := webhook.NewHandler(func(_ context.Context, e webhook.Event) error {
		fmt.Println("stored", e.Data.ID)
		return nil
	}, []string{"whsec_example"})

	body := `{"event":"transcription.failed","data":{"id":"stt_abc123","status":"failed"}}`
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/scriptix", strings.NewReader(body))
	r.Header.Set(webhook.SignatureHeader, webhook.Sign("whsec_example", []byte(body)))
	w := httptest.NewRecorder()
	yours.ServeHTTP(w, r)

	fmt.Println(w.Code)
	// Output:
	// stored stt_abc123
	// 200
}

func ExampleParse() {
	e, err := webhook.Parse([]byte(`{"event":"transcription.failed","data":{"id":"stt_abc123","error":{"message":"no speech found"}}}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Type, e.Data.ID, e.Data.Error)

	_, err = webhook.Parse([]byte(`{"event":"transcription.failed"}`))
	fmt.Println(err)
	// Output:
	// transcription.failed stt_abc123 no speech found
	// webhook: unreadable payload: no data.id
}

// The reason comes apart from the answer: the sender learns nothing but 401.
func ExampleOnReject() {
	h, err := webhook.NewHandler(func(context.Context, webhook.Event) error { return nil }, []string{"whsec_example"},
		webhook.OnReject(func(_ *http.Request, err error) {
			if r, ok := errors.AsType[*webhook.RejectError](err); ok {
				fmt.Println(r.StatusCode, errors.Is(err, webhook.ErrNoSignature))
			}
		}))
	if err != nil {
		log.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/scriptix", strings.NewReader(`{"event":"ping"}`)))
	answer, _ := io.ReadAll(w.Body)
	fmt.Printf("%d %q\n", w.Code, answer)
	// Output:
	// 401 true
	// 401 ""
}
