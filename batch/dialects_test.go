package batch_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// variant is a dialect of the service, and of the client that speaks it.
type variant struct {
	name    string
	fake    scriptixtest.Option
	dialect scriptix.Dialect
	byURL   bool // recordings are fetched by the service, in a submit of their own
}

// variants are all that a client and a server can agree on, the default first.
func variants() []variant {
	return []variant{
		{"stt", scriptixtest.WithDialect(scriptixtest.STT), scriptix.DialectSTT, false},
		{"session legacy", scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Legacy), scriptix.DialectSession, false},
		{"session current", scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Current), scriptix.DialectSession, false},
		{"session legacy by URL", scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Legacy), scriptix.DialectSession, true},
		{"session current by URL", scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Current), scriptix.DialectSession, true},
	}
}

// variantOf is the variant that a test runs in, by its name: that of the table
// below, or the default.
func variantOf(t *testing.T) variant {
	t.Helper()
	for _, v := range variants()[1:] {
		if strings.HasPrefix(t.Name(), "TestInEachDialect/"+strings.ReplaceAll(v.name, " ", "_")+"/") {
			return v
		}
	}
	return variants()[0]
}

// sourceOf is a recording as the test's variant sends it.
func sourceOf(t *testing.T, name string, data []byte) scriptix.Audio {
	t.Helper()
	if variantOf(t).byURL {
		return scriptix.FromURL("https://media.example/" + name)
	}
	return scriptix.Bytes(name, data)
}

// sourceIn is how the end of a job is learned in the test's variant, while
// callbacks arrive: an unsigned one only has it asked for.
func sourceIn(t *testing.T) scriptix.Source {
	t.Helper()
	if variantOf(t).dialect.SignedCallbacks() {
		return scriptix.SourceWebhook
	}
	return scriptix.SourcePoll
}

func newFake(t *testing.T, opts ...scriptixtest.Option) *scriptixtest.Server {
	t.Helper()
	return scriptixtest.New(t, append(opts, variantOf(t).fake)...)
}

// TestInEachDialect runs the tests of this package again, once for each variant
// of the other dialect, with recordings that are uploaded and with recordings
// that the service fetches. A fault of the submit itself strikes the latter alone,
// because an upload has other requests. Left out are tests of signed callbacks, of
// ledgers by themselves, of how many requests the form takes, of memory, and those
// that bring a service of their own, which has one dialect; kills in the other
// dialect have a test of their own.
func TestInEachDialect(t *testing.T) {
	t.Parallel()
	const files, urls, both = 1, 2, 3
	tests := []struct {
		name  string
		test  func(*testing.T)
		where int
	}{
		{"TestEveryInputIsYieldedOnceWithItsOwnTranscript", TestEveryInputIsYieldedOnceWithItsOwnTranscript, both},
		{"TestABatchWithoutCallbacksPolls", TestABatchWithoutCallbacksPolls, both},
		{"TestKeyTellsRecordingsApartByWhatChangesTheResult", TestKeyTellsRecordingsApartByWhatChangesTheResult, both},
		{"TestAFailureOfTheServiceIsReportedAndNotPaidForAgain", TestAFailureOfTheServiceIsReportedAndNotPaidForAgain, both},
		{"TestAnOutageIsWaitedOut", TestAnOutageIsWaitedOut, both},
		{"TestAResultThatCannotBeReadIsReportedSoonAndLeftToALaterRun", TestAResultThatCannotBeReadIsReportedSoonAndLeftToALaterRun, both},
		{"TestTheEndOfTheContextLosesNothing", TestTheEndOfTheContextLosesNothing, both},
		{"TestLeavingTheLoopStopsCleanly", TestLeavingTheLoopStopsCleanly, both},
		{"TestASinkThatFailsIsTriedAgainAndThenReported", TestASinkThatFailsIsTriedAgainAndThenReported, both},
		{"TestNothingIsSentThatTheLedgerHasNotStored", TestNothingIsSentThatTheLedgerHasNotStored, both},
		{"TestAResultThatLagsBehindItsCallbackIsAskedForAgain", TestAResultThatLagsBehindItsCallbackIsAskedForAgain, both},
		{"TestACallbackThatIsUntrueDoesNotEndInATranscript", TestACallbackThatIsUntrueDoesNotEndInATranscript, both},
		{"TestAJobOfAnotherRecordIsRefused", TestAJobOfAnotherRecordIsRefused, both},
		{"TestAnInterruptedUploadGoesOnWhereItStopped", TestAnInterruptedUploadGoesOnWhereItStopped, both},
		{"TestOptionsThatMakeNoSenseRejectEachInput", TestOptionsThatMakeNoSenseRejectEachInput, both},
		{"TestEveryInputThatWasTakenIsYieldedWhenTheContextEnds", TestEveryInputThatWasTakenIsYieldedWhenTheContextEnds, both},
		{"TestAPanicOfTheInputsReachesTheConsumer", TestAPanicOfTheInputsReachesTheConsumer, both},
		{"TestASinkThatEndsItsGoroutineHoldsNothingUp", TestASinkThatEndsItsGoroutineHoldsNothingUp, both},
		{"TestAKeyThatNoLedgerCanKeepIsRejected", TestAKeyThatNoLedgerCanKeepIsRejected, both},
		{"TestAWholeUploadIsNotPaidForAgainThoughItsFileWasAwayForOneRun", TestAWholeUploadIsNotPaidForAgainThoughItsFileWasAwayForOneRun, both},
		{"TestAKeyThatIsRefusedStopsAResumableUploadAtOnce", TestAKeyThatIsRefusedStopsAResumableUploadAtOnce, both},
		{"TestAnUploadIsNotContinuedWithAnotherRecording", TestAnUploadIsNotContinuedWithAnotherRecording, both},
		{"TestAnUploadThatIsAbandonedMeanwhileIsLetGo", TestAnUploadThatIsAbandonedMeanwhileIsLetGo, both},
		{"TestOfTwoRunsOnOneLedgerTheSecondWaitsForWhatTheFirstHasInHand", TestOfTwoRunsOnOneLedgerTheSecondWaitsForWhatTheFirstHasInHand, both},
		{"TestWhatAStoppedRunLeavesTheOtherOneTakesUp", TestWhatAStoppedRunLeavesTheOtherOneTakesUp, both},
		{"TestARunWithinTheLoopOfAnotherBringsWhatThatOneHasHandedOver", TestARunWithinTheLoopOfAnotherBringsWhatThatOneHasHandedOver, both},
		{"TestAJobIsErasedOnceItsTranscriptIsDurable", TestAJobIsErasedOnceItsTranscriptIsDurable, both},
		{"TestWhatCannotBeErasedIsReportedAndLeftToTheNextRun", TestWhatCannotBeErasedIsReportedAndLeftToTheNextRun, both},
		{"TestAJobThatTheServiceDoesNotKnowCountsAsErasedAndIsSaidToBePerhapsAnothersKey", TestAJobThatTheServiceDoesNotKnowCountsAsErasedAndIsSaidToBePerhapsAnothersKey, both},
		{"TestADialectThatCannotEraseRejectsEveryInputBeforeAByteIsSent", TestADialectThatCannotEraseRejectsEveryInputBeforeAByteIsSent, both},
		{"TestWhatWasDoneBeforeIsErasedOnceThatIsWanted", TestWhatWasDoneBeforeIsErasedOnceThatIsWanted, both},
		{"TestARunInAnotherDialectYieldsTheRecordAndAsksNothing", TestARunInAnotherDialectYieldsTheRecordAndAsksNothing, both},
		{"TestARunLeftWhileItErasesGoesOnInTheNext", TestARunLeftWhileItErasesGoesOnInTheNext, both},
		{"TestARefusalSaysWhyAndALaterRunTriesAgain", TestARefusalSaysWhyAndALaterRunTriesAgain, urls},
		{"TestAnUnknownOutcomeIsReportedAtOnceWhereNoCallbackCanCome", TestAnUnknownOutcomeIsReportedAtOnceWhereNoCallbackCanCome, urls},
		{"TestTheCallerMayHaveAnUnknownOutcomeSentAgain", TestTheCallerMayHaveAnUnknownOutcomeSentAgain, urls},
		{"TestAJobIDIsStoredThoughTheLedgerIsAwayForAnHour", TestAJobIDIsStoredThoughTheLedgerIsAwayForAnHour, urls},
		{"TestTheBudgetHoldsAcrossRestarts", TestTheBudgetHoldsAcrossRestarts, urls},
		{"TestNoErrorOrRecordShowsTheTokenThatTheServiceQuotes", TestNoErrorOrRecordShowsTheTokenThatTheServiceQuotes, urls},
		{"TestATranscriptThatWaitsToBeErasedIsStillAtHand", TestATranscriptThatWaitsToBeErasedIsStillAtHand, both},
		{"TestInputsOfOneKeyAreOneRecording", TestInputsOfOneKeyAreOneRecording, files},
		{"TestProgressIsToldForEachRecordingUpToItsWholeSize", TestProgressIsToldForEachRecordingUpToItsWholeSize, files},
		{"TestNothingIsSentThatTheLedgersBudgetDoesNotKnowOf", TestNothingIsSentThatTheLedgersBudgetDoesNotKnowOf, both},
		{"TestALedgerThatIsAwayDuringABatchCostsNoTranscript", TestALedgerThatIsAwayDuringABatchCostsNoTranscript, both},
		{"TestARefusalIsStoredBeforeItIsWaitedOut", TestARefusalIsStoredBeforeItIsWaitedOut, urls},
		{"TestARefusedKeyReportsWhatAnEarlierRunSent", TestARefusedKeyReportsWhatAnEarlierRunSent, urls},
		{"TestAnUnknownOutcomeOfAClockThatWasAheadIsReportedInTime", TestAnUnknownOutcomeOfAClockThatWasAheadIsReportedInTime, both},
		{"TestARecordOfAnotherProcessIsLeftAloneWhileThatLives", TestARecordOfAnotherProcessIsLeftAloneWhileThatLives, both},
		{"TestAKeyThatIsRefusedStopsTheBatchAndNotWithARequestForEach", TestAKeyThatIsRefusedStopsTheBatchAndNotWithARequestForEach, urls},
		{"TestAWholeUploadThatVanishedIsAnUnknownOutcome", TestAWholeUploadThatVanishedIsAnUnknownOutcome, files},
		{"TestAPanicOfTheCallersCodeReachesTheConsumer", TestAPanicOfTheCallersCodeReachesTheConsumer, files},
		{"TestAPanicOfTheCallersCodeComesOutOfTheLoop", TestAPanicOfTheCallersCodeComesOutOfTheLoop, files},
		{"TestARecordingOfACallersKeyIsSentOnlyWhileItHoldsWhatTheKeyWasMadeOf", TestARecordingOfACallersKeyIsSentOnlyWhileItHoldsWhatTheKeyWasMadeOf, files},
		{"TestAKnownDurationTellsWhenAJobIsAskedFor", TestAKnownDurationTellsWhenAJobIsAskedFor, files},
	}
	for _, v := range variants()[1:] {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range tests {
				if v.byURL && test.where&urls != 0 || !v.byURL && test.where&files != 0 {
					t.Run(test.name, test.test)
				}
			}
		})
	}
}

// listen mounts what receives callbacks in the test's variant.
func listen(t *testing.T, fake *scriptixtest.Server, c *scriptix.Client) {
	t.Helper()
	if variantOf(t).dialect.SignedCallbacks() {
		fake.Handle(hook, c.WebhookHandler())
		return
	}
	h, err := c.HintHandler()
	require.NoError(t, err)
	fake.Handle(hook, h)
}
