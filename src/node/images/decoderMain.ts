import { answerQuestions } from './decoders';

// Started by the process that wants images, with a channel to it.
answerQuestions();
