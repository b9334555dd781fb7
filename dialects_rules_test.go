package scriptix_test

import "testing"

// TestInEachDialect runs the tests of this package again, once for each variant
// of the other dialect: what the client promises does not depend on the API. A
// submit that is one request is that of a recording which the service fetches; all
// else is about uploads. Left out are tests of the form and of readers without a
// known length, which it alone takes, of signed callbacks, of how many requests a
// call takes, and of what no dialect is asked for.
func TestInEachDialect(t *testing.T) {
	t.Parallel()
	const files, urls = 1, 2
	tests := []struct {
		name  string
		test  func(*testing.T)
		where int
	}{
		{"TestOpenGivesTheAudioAndItsSize", TestOpenGivesTheAudioAndItsSize, files},
		{"TestAFileSystemThatCannotSeekIsReadUpToWhereAnUploadGoesOn", TestAFileSystemThatCannotSeekIsReadUpToWhereAnUploadGoesOn, files},
		{"TestNegativeFiguresInHeadersDoNotStopTheKey", TestNegativeFiguresInHeadersDoNotStopTheKey, files},
		{"TestFileThatIsOverwrittenWhileItIsSentMakesNoJob", TestFileThatIsOverwrittenWhileItIsSentMakesNoJob, files},
		{"TestWhatIsExpectedIsProvedBeforeTheLastByteGoes", TestWhatIsExpectedIsProvedBeforeTheLastByteGoes, files},
		{"TestDigestIsTheSHA256AndWritesWhatItReads", TestDigestIsTheSHA256AndWritesWhatItReads, files},
		{"TestCutUploadIsProvedToo", TestCutUploadIsProvedToo, files},
		{"TestTheLastByteIsNotAskedForWhenTheRecordingIsAnother", TestTheLastByteIsNotAskedForWhenTheRecordingIsAnother, files},
		{"TestAnObserverIsToldOfAnEndThatAPollFoundAndHowLateThatIs", TestAnObserverIsToldOfAnEndThatAPollFoundAndHowLateThatIs, files},
		{"TestNewRefusesNonsenseAndSaysWhich", TestNewRefusesNonsenseAndSaysWhich, files},
		{"TestNewAcceptsWhatMakesSense", TestNewAcceptsWhatMakesSense, files},
		{"TestABasePathIsKeptAndIDsCannotClimb", TestABasePathIsKeptAndIDsCannotClimb, files},
		{"TestTheCallersHTTPClientIsCopiedAndNotModified", TestTheCallersHTTPClientIsCopiedAndNotModified, files},
		{"TestWithoutLimitsAClientIsModest", TestWithoutLimitsAClientIsModest, files},
		{"TestWhatTheBudgetRefusesIsNotSent", TestWhatTheBudgetRefusesIsNotSent, files},
		{"TestABudgetThatFailsIsAskedAsAServiceThatIsDown", TestABudgetThatFailsIsAskedAsAServiceThatIsDown, files},
		{"TestABudgetThatHasNoRoomWorksAgain", TestABudgetThatHasNoRoomWorksAgain, files},
		{"TestAKeeperThatFailsIsNotAskedForEachPoll", TestAKeeperThatFailsIsNotAskedForEachPoll, files},
		{"TestCallsThatAskAtOnceCountAsOneFailure", TestCallsThatAskAtOnceCountAsOneFailure, files},
		{"TestAnAnswerThatIsNeitherYesNorNoLeavesTheOutcomeUnknown", TestAnAnswerThatIsNeitherYesNorNoLeavesTheOutcomeUnknown, files},
		{"TestARedirectThatCannotBeParsedIsARefusalLikeAnyOther", TestARedirectThatCannotBeParsedIsARefusalLikeAnyOther, files},
		{"TestAReaderWhoseClosingBoundaryWentOutHasAnUnknownOutcome", TestAReaderWhoseClosingBoundaryWentOutHasAnUnknownOutcome, files},
		{"TestOddAnswersOfARoundTripperAreErrorsAndNoPanics", TestOddAnswersOfARoundTripperAreErrorsAndNoPanics, files},
		{"TestABudgetThatIsOutOfOrderIsAnErrorAndNoPanic", TestABudgetThatIsOutOfOrderIsAnErrorAndNoPanic, files},
		{"TestAPanicOfARoundTripperComesOutOfTheCall", TestAPanicOfARoundTripperComesOutOfTheCall, files},
		{"TestAPanicOfABudgetOrItsKeeperComesOutOfTheWait", TestAPanicOfABudgetOrItsKeeperComesOutOfTheWait, files},
		{"TestProgressNeverGoesBackAndIsToldAtMostTwentyTimesASecond", TestProgressNeverGoesBackAndIsToldAtMostTwentyTimesASecond, files},
		{"TestProgressOfAResumableUploadNeverGoesBack", TestProgressOfAResumableUploadNeverGoesBack, files},
		{"TestTokenIsHandedOutBeforeTheFirstByteAndResumesElsewhere", TestTokenIsHandedOutBeforeTheFirstByteAndResumesElsewhere, files},
		{"TestResumingTakesOnlyTheSameFile", TestResumingTakesOnlyTheSameFile, files},
		{"TestFileThatChangesDuringTheUploadIsNotSentOn", TestFileThatChangesDuringTheUploadIsNotSentOn, files},
		{"TestOpenerThatBringsMoreOrLessThanAnnouncedIsNoJob", TestOpenerThatBringsMoreOrLessThanAnnouncedIsNoJob, files},
		{"TestTokenOfAnotherServiceOrNoTokenIsRefused", TestTokenOfAnotherServiceOrNoTokenIsRefused, files},
		{"TestInterruptedErrorShowsNoURLUnasked", TestInterruptedErrorShowsNoURLUnasked, files},
		{"TestWhatWouldFailTheSameWayAgainIsNotRepeated", TestWhatWouldFailTheSameWayAgainIsNotRepeated, files},
		{"TestOnlyWhatMayPassIsTriedAgain", TestOnlyWhatMayPassIsTriedAgain, files},
		{"TestTranscribeFallsBackToPollingWhenNoCallbackComes", TestTranscribeFallsBackToPollingWhenNoCallbackComes, files},
		{"TestResumableUploadSurvivesWhatTheServiceDoes", TestResumableUploadSurvivesWhatTheServiceDoes, files},
		{"TestCutContinuesFromTheServicesOffset", TestCutContinuesFromTheServicesOffset, files},
		{"TestSilenceAfterAMiddleChunkIsNotWaitedOutLikeThatAfterTheLast", TestSilenceAfterAMiddleChunkIsNotWaitedOutLikeThatAfterTheLast, files},
		{"TestOffsetThatCannotBeTrueEndsTheUpload", TestOffsetThatCannotBeTrueEndsTheUpload, files},
		{"TestLostAnswerAfterTheLastByteIsNeverAnUnknownOutcome", TestLostAnswerAfterTheLastByteIsNeverAnUnknownOutcome, files},
		{"TestUploadThatVanishedIsStartedAgain", TestUploadThatVanishedIsStartedAgain, files},
		{"TestUploadThatVanishedAfterItsLastByteIsNotCalledMissing", TestUploadThatVanishedAfterItsLastByteIsNotCalledMissing, files},
		{"TestUploadForgottenOnceItIsCompleteStillFindsItsJob", TestUploadForgottenOnceItIsCompleteStillFindsItsJob, files},
		{"TestAnswerThatNoChunkCanChangeEndsTheUpload", TestAnswerThatNoChunkCanChangeEndsTheUpload, files},
		{"TestCreationThatIsRefusedIsThatError", TestCreationThatIsRefusedIsThatError, files},
		{"TestUploadsOwnIDIsNotTakenForItsJobs", TestUploadsOwnIDIsNotTakenForItsJobs, files},
		{"TestNoSequenceOfFaultsMakesTwoJobsOrACorruptOne", TestNoSequenceOfFaultsMakesTwoJobsOrACorruptOne, files},
		{"TestContextEndsAHangingReaderAtAtOnce", TestContextEndsAHangingReaderAtAtOnce, files},
		{"TestWaitsOfWhatNewDidNotMakeAndOfANilContextAreErrors", TestWaitsOfWhatNewDidNotMakeAndOfANilContextAreErrors, files},
		{"TestWhatNewDidNotMakeAndANilContextAreErrorsAndNoPanics", TestWhatNewDidNotMakeAndANilContextAreErrorsAndNoPanics, files},
		{"TestTheWebhookHandlerIsThereEvenWhenNothingIs", TestTheWebhookHandlerIsThereEvenWhenNothingIs, files},
		{"TestAnUnauthenticCallbackChangesNothing", TestAnUnauthenticCallbackChangesNothing, files},
		{"TestAFailureIsConfirmedAndItsReasonFetched", TestAFailureIsConfirmedAndItsReasonFetched, files},
		{"TestAFailureThatIsNotTrueIsNotBelieved", TestAFailureThatIsNotTrueIsNotBelieved, files},
		{"TestDeliverHandsOverAnEventFromElsewhere", TestDeliverHandsOverAnEventFromElsewhere, files},
		{"TestAFunctionOfOnEventMayStopItselfAndDeliver", TestAFunctionOfOnEventMayStopItselfAndDeliver, files},
		{"TestAnswersInACodingThatWasNotAskedForAreRead", TestAnswersInACodingThatWasNotAskedForAreRead, files},
		{"TestCodingThatIsNotKnownIsNamed", TestCodingThatIsNotKnownIsNamed, files},
		{"TestCodingThatIsNamedButNotThereIsNotBelieved", TestCodingThatIsNamedButNotThereIsNotBelieved, files},
		{"TestWhatIsDecodedIsBounded", TestWhatIsDecodedIsBounded, files},
		{"TestEveryRequestOnTheWireHoldsAPermit", TestEveryRequestOnTheWireHoldsAPermit, files},
		{"TestConnectionsThatAllEndWithoutAnAnswerCostNoMoreThanTheAttempts", TestConnectionsThatAllEndWithoutAnAnswerCostNoMoreThanTheAttempts, files},
		{"TestSubmitSharesItsConnectionWithNothing", TestSubmitSharesItsConnectionWithNothing, files},
		{"TestAnswerThatBelongsToAnotherSubmitIsNotTaken", TestAnswerThatBelongsToAnotherSubmitIsNotTaken, files},
		{"TestJobOfAnotherRecordingIsAnUnknownOutcome", TestJobOfAnotherRecordingIsAnUnknownOutcome, files},
		{"TestRoundTripperOfTheCallersDoesNotRepeatEither", TestRoundTripperOfTheCallersDoesNotRepeatEither, files},
		{"TestCompleteObjectCountsHoweverTheAnswerEnds", TestCompleteObjectCountsHoweverTheAnswerEnds, files},
		{"TestHalfAnObjectProvesNothing", TestHalfAnObjectProvesNothing, files},
		{"TestRefusalThatIsCutAfterItsObjectIsOne", TestRefusalThatIsCutAfterItsObjectIsOne, files},
		{"TestWhatStandsInTheHeaderNeedsNoBody", TestWhatStandsInTheHeaderNeedsNoBody, files},
		{"TestTheFakeLeavesAnswersWithoutAnEnd", TestTheFakeLeavesAnswersWithoutAnEnd, files},
		{"TestUploadWhoseJobCannotBeAskedForNowIsToBeResumed", TestUploadWhoseJobCannotBeAskedForNowIsToBeResumed, files},
		{"TestUploadOfWhichNoTraceIsLeftMayHaveBecomeAJob", TestUploadOfWhichNoTraceIsLeftMayHaveBecomeAJob, files},
		{"TestHTTPLocationBehindATLSProxyIsRaised", TestHTTPLocationBehindATLSProxyIsRaised, files},
		{"TestChunksThatAreTooLargeAreHalvedForTheWholeUpload", TestChunksThatAreTooLargeAreHalvedForTheWholeUpload, files},
		{"TestChunksAreNotHalvedForever", TestChunksAreNotHalvedForever, files},
		{"TestHalvedChunksAreRememberedInTheToken", TestHalvedChunksAreRememberedInTheToken, files},
		{"TestChunkThatIsAnsweredWithoutAnOffsetIsAskedAfter", TestChunkThatIsAnsweredWithoutAnOffsetIsAskedAfter, files},
		{"TestServiceThatStoresNothingAndSaysNothingIsGivenUp", TestServiceThatStoresNothingAndSaysNothingIsGivenUp, files},
		{"TestJobOfAnotherUploadIsNotTaken", TestJobOfAnotherUploadIsNotTaken, files},
		{"TestEveryFileNameIsReadByGoPrograms", TestEveryFileNameIsReadByGoPrograms, files},
		{"TestMediaTypeIsToldByNameOrElseByTheFirstBytes", TestMediaTypeIsToldByNameOrElseByTheFirstBytes, files},
		{"TestSubmitNeverMakesTwoJobsWhateverGoesWrong", TestSubmitNeverMakesTwoJobsWhateverGoesWrong, urls},
		{"TestSubmitEndsWithItsContext", TestSubmitEndsWithItsContext, urls},
		{"TestSubmitThatCannotBeRepeatedInTimeFailsAtOnce", TestSubmitThatCannotBeRepeatedInTimeFailsAtOnce, urls},
		{"TestManySubmitsThatFailAtRandomLeaveNothingBehindAndMakeNoJobTwice", TestManySubmitsThatFailAtRandomLeaveNothingBehindAndMakeNoJobTwice, urls},
		{"TestEveryAttemptPassesTheBudget", TestEveryAttemptPassesTheBudget, urls},
		{"TestA429StopsEveryCallUntilRetryAfterEvenFromTheBody", TestA429StopsEveryCallUntilRetryAfterEvenFromTheBody, urls},
		{"TestARetryWaitsAtLeastAsLongAsTheServiceAsks", TestARetryWaitsAtLeastAsLongAsTheServiceAsks, urls},
		{"TestAContextThatEndsWithinAnAnswerIsSaidBesideIt", TestAContextThatEndsWithinAnAnswerIsSaidBesideIt, urls},
		{"TestARefusalIsToldBeforeItIsWaitedOut", TestARefusalIsToldBeforeItIsWaitedOut, urls},
		{"TestAnObserverIsToldOfUnknownOutcomesAndForgedCallbacks", TestAnObserverIsToldOfUnknownOutcomesAndForgedCallbacks, urls},
		{"TestStatusSitsOutWhatPasses", TestStatusSitsOutWhatPasses, files},
		{"TestACallGivesUpAfterItsAttemptsAndKeepsTheLastAnswer", TestACallGivesUpAfterItsAttemptsAndKeepsTheLastAnswer, files},
		{"TestWaitsBetweenAttemptsStayWithinThePolicy", TestWaitsBetweenAttemptsStayWithinThePolicy, files},
		{"TestAudioThatHangsBeforeItsFirstByteIsAnErrorAndNoPanic", TestAudioThatHangsBeforeItsFirstByteIsAnErrorAndNoPanic, files},
		{"TestNothingBelowIsGivenTheMeansToSendASubmitAgain", TestNothingBelowIsGivenTheMeansToSendASubmitAgain, files},
		{"TestLocationStaysOnTheServicesOrigin", TestLocationStaysOnTheServicesOrigin, files},
		{"TestErrorOfOnUploadCreatedEndsTheUploadBeforeItBegan", TestErrorOfOnUploadCreatedEndsTheUploadBeforeItBegan, files},
		{"TestPollThatNeverEndsDoesNotStopTheOthers", TestPollThatNeverEndsDoesNotStopTheOthers, files},
		{"TestAContextThatEndsWhileTheResultIsFetchedEndsTheWait", TestAContextThatEndsWhileTheResultIsFetchedEndsTheWait, files},
		{"TestAPanicOfTheCallersCodeComesOutOfSubmit", TestAPanicOfTheCallersCodeComesOutOfSubmit, files},
		{"TestAResultThatNeverComesIsWaitedForUntilTheContextEnds", TestAResultThatNeverComesIsWaitedForUntilTheContextEnds, files},
		{"TestAnAnswerForWhichThereIsNoRoomIsGivenUp", TestAnAnswerForWhichThereIsNoRoomIsGivenUp, files},
		{"TestNewUploadSharesItsConnectionWithNothing", TestNewUploadSharesItsConnectionWithNothing, files},
		{"TestEverySourceArrivesWhole", TestEverySourceArrivesWhole, files},
		{"TestAudioThatChangesWhileItIsSentMakesNoJob", TestAudioThatChangesWhileItIsSentMakesNoJob, files},
		{"TestUploadsGoOverHTTP1WhateverTheClientIsUsedFor", TestUploadsGoOverHTTP1WhateverTheClientIsUsedFor, files},
		{"TestTranscriptsOnATightPlanComeWithoutARefusal", TestTranscriptsOnATightPlanComeWithoutARefusal, urls},
	}
	for _, v := range sessions() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range tests {
				if v.byURL == (test.where == urls) {
					t.Run(test.name, test.test)
				}
			}
		})
	}
}
