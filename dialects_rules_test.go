package scriptix_test

import "testing"

// TestInEachDialect runs the tests of this package again, once for each variant
// of the other dialect: what the client promises does not depend on the API. Left
// out are tests of the form, of signed callbacks, and of how many requests a call
// takes.
func TestInEachDialect(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		test func(*testing.T)
	}{
		{"TestOpenGivesTheAudioAndItsSize", TestOpenGivesTheAudioAndItsSize},
		{"TestAFileSystemThatCannotSeekIsReadUpToWhereAnUploadGoesOn", TestAFileSystemThatCannotSeekIsReadUpToWhereAnUploadGoesOn},
		{"TestNegativeFiguresInHeadersDoNotStopTheKey", TestNegativeFiguresInHeadersDoNotStopTheKey},
		{"TestFileThatIsOverwrittenWhileItIsSentMakesNoJob", TestFileThatIsOverwrittenWhileItIsSentMakesNoJob},
		{"TestWhatIsExpectedIsProvedBeforeTheLastByteGoes", TestWhatIsExpectedIsProvedBeforeTheLastByteGoes},
		{"TestDigestIsTheSHA256AndWritesWhatItReads", TestDigestIsTheSHA256AndWritesWhatItReads},
		{"TestCutUploadIsProvedToo", TestCutUploadIsProvedToo},
		{"TestTheLastByteIsNotAskedForWhenTheRecordingIsAnother", TestTheLastByteIsNotAskedForWhenTheRecordingIsAnother},
		{"TestAnObserverIsToldOfAnEndThatAPollFoundAndHowLateThatIs", TestAnObserverIsToldOfAnEndThatAPollFoundAndHowLateThatIs},
		{"TestNewRefusesNonsenseAndSaysWhich", TestNewRefusesNonsenseAndSaysWhich},
		{"TestNewAcceptsWhatMakesSense", TestNewAcceptsWhatMakesSense},
		{"TestABasePathIsKeptAndIDsCannotClimb", TestABasePathIsKeptAndIDsCannotClimb},
		{"TestTheCallersHTTPClientIsCopiedAndNotModified", TestTheCallersHTTPClientIsCopiedAndNotModified},
		{"TestWithoutLimitsAClientIsModest", TestWithoutLimitsAClientIsModest},
		{"TestWhatTheBudgetRefusesIsNotSent", TestWhatTheBudgetRefusesIsNotSent},
		{"TestABudgetThatFailsIsAskedAsAServiceThatIsDown", TestABudgetThatFailsIsAskedAsAServiceThatIsDown},
		{"TestABudgetThatHasNoRoomWorksAgain", TestABudgetThatHasNoRoomWorksAgain},
		{"TestAKeeperThatFailsIsNotAskedForEachPoll", TestAKeeperThatFailsIsNotAskedForEachPoll},
		{"TestCallsThatAskAtOnceCountAsOneFailure", TestCallsThatAskAtOnceCountAsOneFailure},
		{"TestAnAnswerThatIsNeitherYesNorNoLeavesTheOutcomeUnknown", TestAnAnswerThatIsNeitherYesNorNoLeavesTheOutcomeUnknown},
		{"TestARedirectThatCannotBeParsedIsARefusalLikeAnyOther", TestARedirectThatCannotBeParsedIsARefusalLikeAnyOther},
		{"TestAReaderWhoseClosingBoundaryWentOutHasAnUnknownOutcome", TestAReaderWhoseClosingBoundaryWentOutHasAnUnknownOutcome},
		{"TestOddAnswersOfARoundTripperAreErrorsAndNoPanics", TestOddAnswersOfARoundTripperAreErrorsAndNoPanics},
		{"TestABudgetThatIsOutOfOrderIsAnErrorAndNoPanic", TestABudgetThatIsOutOfOrderIsAnErrorAndNoPanic},
		{"TestAPanicOfARoundTripperComesOutOfTheCall", TestAPanicOfARoundTripperComesOutOfTheCall},
		{"TestAPanicOfABudgetOrItsKeeperComesOutOfTheWait", TestAPanicOfABudgetOrItsKeeperComesOutOfTheWait},
		{"TestProgressNeverGoesBackAndIsToldAtMostTwentyTimesASecond", TestProgressNeverGoesBackAndIsToldAtMostTwentyTimesASecond},
		{"TestProgressOfAResumableUploadNeverGoesBack", TestProgressOfAResumableUploadNeverGoesBack},
		{"TestTokenIsHandedOutBeforeTheFirstByteAndResumesElsewhere", TestTokenIsHandedOutBeforeTheFirstByteAndResumesElsewhere},
		{"TestResumingTakesOnlyTheSameFile", TestResumingTakesOnlyTheSameFile},
		{"TestFileThatChangesDuringTheUploadIsNotSentOn", TestFileThatChangesDuringTheUploadIsNotSentOn},
		{"TestOpenerThatBringsMoreOrLessThanAnnouncedIsNoJob", TestOpenerThatBringsMoreOrLessThanAnnouncedIsNoJob},
		{"TestTokenOfAnotherServiceOrNoTokenIsRefused", TestTokenOfAnotherServiceOrNoTokenIsRefused},
		{"TestInterruptedErrorShowsNoURLUnasked", TestInterruptedErrorShowsNoURLUnasked},
		{"TestWhatWouldFailTheSameWayAgainIsNotRepeated", TestWhatWouldFailTheSameWayAgainIsNotRepeated},
		{"TestOnlyWhatMayPassIsTriedAgain", TestOnlyWhatMayPassIsTriedAgain},
		{"TestTranscribeFallsBackToPollingWhenNoCallbackComes", TestTranscribeFallsBackToPollingWhenNoCallbackComes},
		{"TestResumableUploadSurvivesWhatTheServiceDoes", TestResumableUploadSurvivesWhatTheServiceDoes},
		{"TestCutContinuesFromTheServicesOffset", TestCutContinuesFromTheServicesOffset},
		{"TestSilenceAfterAMiddleChunkIsNotWaitedOutLikeThatAfterTheLast", TestSilenceAfterAMiddleChunkIsNotWaitedOutLikeThatAfterTheLast},
		{"TestOffsetThatCannotBeTrueEndsTheUpload", TestOffsetThatCannotBeTrueEndsTheUpload},
		{"TestLostAnswerAfterTheLastByteIsNeverAnUnknownOutcome", TestLostAnswerAfterTheLastByteIsNeverAnUnknownOutcome},
		{"TestUploadThatVanishedIsStartedAgain", TestUploadThatVanishedIsStartedAgain},
		{"TestUploadThatVanishedAfterItsLastByteIsNotCalledMissing", TestUploadThatVanishedAfterItsLastByteIsNotCalledMissing},
		{"TestUploadForgottenOnceItIsCompleteStillFindsItsJob", TestUploadForgottenOnceItIsCompleteStillFindsItsJob},
		{"TestAnswerThatNoChunkCanChangeEndsTheUpload", TestAnswerThatNoChunkCanChangeEndsTheUpload},
		{"TestCreationThatIsRefusedIsThatError", TestCreationThatIsRefusedIsThatError},
		{"TestUploadsOwnIDIsNotTakenForItsJobs", TestUploadsOwnIDIsNotTakenForItsJobs},
		{"TestNoSequenceOfFaultsMakesTwoJobsOrACorruptOne", TestNoSequenceOfFaultsMakesTwoJobsOrACorruptOne},
		{"TestContextEndsAHangingReaderAtAtOnce", TestContextEndsAHangingReaderAtAtOnce},
		{"TestWaitsOfWhatNewDidNotMakeAndOfANilContextAreErrors", TestWaitsOfWhatNewDidNotMakeAndOfANilContextAreErrors},
		{"TestWhatNewDidNotMakeAndANilContextAreErrorsAndNoPanics", TestWhatNewDidNotMakeAndANilContextAreErrorsAndNoPanics},
		{"TestTheWebhookHandlerIsThereEvenWhenNothingIs", TestTheWebhookHandlerIsThereEvenWhenNothingIs},
		{"TestAnUnauthenticCallbackChangesNothing", TestAnUnauthenticCallbackChangesNothing},
		{"TestAFailureIsConfirmedAndItsReasonFetched", TestAFailureIsConfirmedAndItsReasonFetched},
		{"TestAFailureThatIsNotTrueIsNotBelieved", TestAFailureThatIsNotTrueIsNotBelieved},
		{"TestDeliverHandsOverAnEventFromElsewhere", TestDeliverHandsOverAnEventFromElsewhere},
		{"TestAFunctionOfOnEventMayStopItselfAndDeliver", TestAFunctionOfOnEventMayStopItselfAndDeliver},
		{"TestAnswersInACodingThatWasNotAskedForAreRead", TestAnswersInACodingThatWasNotAskedForAreRead},
		{"TestCodingThatIsNotKnownIsNamed", TestCodingThatIsNotKnownIsNamed},
		{"TestCodingThatIsNamedButNotThereIsNotBelieved", TestCodingThatIsNamedButNotThereIsNotBelieved},
		{"TestWhatIsDecodedIsBounded", TestWhatIsDecodedIsBounded},
		{"TestEveryRequestOnTheWireHoldsAPermit", TestEveryRequestOnTheWireHoldsAPermit},
		{"TestConnectionsThatAllEndWithoutAnAnswerCostNoMoreThanTheAttempts", TestConnectionsThatAllEndWithoutAnAnswerCostNoMoreThanTheAttempts},
		{"TestSubmitSharesItsConnectionWithNothing", TestSubmitSharesItsConnectionWithNothing},
		{"TestAnswerThatBelongsToAnotherSubmitIsNotTaken", TestAnswerThatBelongsToAnotherSubmitIsNotTaken},
		{"TestJobOfAnotherRecordingIsAnUnknownOutcome", TestJobOfAnotherRecordingIsAnUnknownOutcome},
		{"TestRoundTripperOfTheCallersDoesNotRepeatEither", TestRoundTripperOfTheCallersDoesNotRepeatEither},
		{"TestCompleteObjectCountsHoweverTheAnswerEnds", TestCompleteObjectCountsHoweverTheAnswerEnds},
		{"TestHalfAnObjectProvesNothing", TestHalfAnObjectProvesNothing},
		{"TestRefusalThatIsCutAfterItsObjectIsOne", TestRefusalThatIsCutAfterItsObjectIsOne},
		{"TestWhatStandsInTheHeaderNeedsNoBody", TestWhatStandsInTheHeaderNeedsNoBody},
		{"TestTheFakeLeavesAnswersWithoutAnEnd", TestTheFakeLeavesAnswersWithoutAnEnd},
		{"TestUploadWhoseJobCannotBeAskedForNowIsToBeResumed", TestUploadWhoseJobCannotBeAskedForNowIsToBeResumed},
		{"TestUploadOfWhichNoTraceIsLeftMayHaveBecomeAJob", TestUploadOfWhichNoTraceIsLeftMayHaveBecomeAJob},
		{"TestHTTPLocationBehindATLSProxyIsRaised", TestHTTPLocationBehindATLSProxyIsRaised},
		{"TestChunksThatAreTooLargeAreHalvedForTheWholeUpload", TestChunksThatAreTooLargeAreHalvedForTheWholeUpload},
		{"TestChunksAreNotHalvedForever", TestChunksAreNotHalvedForever},
		{"TestHalvedChunksAreRememberedInTheToken", TestHalvedChunksAreRememberedInTheToken},
		{"TestChunkThatIsAnsweredWithoutAnOffsetIsAskedAfter", TestChunkThatIsAnsweredWithoutAnOffsetIsAskedAfter},
		{"TestServiceThatStoresNothingAndSaysNothingIsGivenUp", TestServiceThatStoresNothingAndSaysNothingIsGivenUp},
		{"TestJobOfAnotherUploadIsNotTaken", TestJobOfAnotherUploadIsNotTaken},
		{"TestEveryFileNameIsReadByGoPrograms", TestEveryFileNameIsReadByGoPrograms},
		{"TestMediaTypeIsToldByNameOrElseByTheFirstBytes", TestMediaTypeIsToldByNameOrElseByTheFirstBytes},
	}
	for _, v := range variants()[1:] {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range tests {
				t.Run(test.name, test.test)
			}
		})
	}
}
