package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDeliverHasTenSecondsWhetherTheSenderStaysOrNot(t *testing.T) {
	t.Parallel()
	type valueKey struct{}
	synctest.Test(t, func(t *testing.T) {
		ctx, hangUp := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "trace"))
		stored := false
		resp, _ := post(t, func(ctx context.Context, _ webhook.Event) error {
			deadline, ok := ctx.Deadline()
			assert.True(t, ok)
			assert.Equal(t, 10*time.Second, time.Until(deadline))
			assert.Equal(t, "trace", ctx.Value(valueKey{}))
			hangUp()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(9 * time.Second):
				stored = true
				return nil
			}
		}, callback(t, completed).WithContext(ctx))
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.True(t, stored)
	})
}

func TestADeliverThatHeedsItsDeadlineIs503(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		resp, err := post(t, func(ctx context.Context, _ webhook.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}, callback(t, completed))
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestADeliverThatHangsKeepsItsPlaceButNotTheSender(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		how      func()
		reported int
	}{
		"and returns at last":    {func() {}, 0},
		"and panics at last":     {func() { panic("late") }, 1},
		"and ends its goroutine": {runtime.Goexit, 1},
		"and fails by a slip":    {func() { _ = []int{}[len("late")] }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var rejected rejections
				h, err := webhook.NewHandler(func(_ context.Context, e webhook.Event) error {
					if e.Type == "hang" {
						time.Sleep(time.Minute)
						end.how()
					}
					return nil
				}, []string{secret}, webhook.MaxInFlight(1), webhook.OnReject(rejected.add))
				require.NoError(t, err)
				status := func(payload string) int {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, callback(t, payload))
					return w.Code
				}

				start := time.Now()
				require.Equal(t, http.StatusServiceUnavailable, status(`{"event":"hang"}`))
				require.Equal(t, 10*time.Second, time.Since(start))
				require.ErrorIs(t, rejected.all()[0], context.DeadlineExceeded)

				require.Equal(t, http.StatusServiceUnavailable, status(`{"event":"ping"}`))
				require.ErrorIs(t, rejected.all()[1], webhook.ErrBusy)
				require.Equal(t, 10*time.Second, time.Since(start), "answered at once")

				time.Sleep(time.Minute)
				synctest.Wait()
				require.Equal(t, http.StatusOK, status(`{"event":"ping"}`))
				late := rejected.all()[2:]
				require.Len(t, late, end.reported)
				for _, err := range late {
					_, ok := errors.AsType[*webhook.PanicError](err)
					require.True(t, ok)
				}
			})
		})
	}
}

func TestTooManyInFlightAre503(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit int
		opts  []webhook.HandlerOption
	}{
		"unless told otherwise": {64, nil},
		"as told":               {3, []webhook.HandlerOption{webhook.MaxInFlight(3)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				h, err := webhook.NewHandler(func(context.Context, webhook.Event) error { <-release; return nil }, []string{secret}, c.opts...)
				require.NoError(t, err)
				statuses := make(chan int, 100)
				send := func(r *http.Request) {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					statuses <- w.Code
				}
				for range c.limit {
					go send(callback(t, completed))
				}
				synctest.Wait()
				send(callback(t, completed))
				require.Equal(t, http.StatusServiceUnavailable, <-statuses)

				// Nobody without the secret takes a place, nor is he told that there is none.
				forged := callback(t, completed)
				forged.Header.Set(webhook.SignatureHeader, webhook.Sign("another", []byte(completed)))
				send(forged)
				require.Equal(t, http.StatusUnauthorized, <-statuses)

				close(release)
				for range c.limit {
					require.Equal(t, http.StatusOK, <-statuses)
				}
			})
		})
	}
}
