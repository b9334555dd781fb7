package subtitle

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// partOfSpeech is what a line break has to know of a word.
type partOfSpeech uint8

const (
	contentWord partOfSpeech = iota
	capital                  // a word that begins with a capital, which may be a name's
	article
	preposition
	conjunction
	pronoun
	auxiliary // and negations
)

// lexicon has the function words of a language. They are few, they are short, and they say where a phrase begins.
type lexicon struct {
	parts map[string]partOfSpeech
	names bool // a capital within a sentence means a name, as it does not in German
}

// lexiconOf returns the function words of the language of a tag such as "pt-BR", nil if they are not known.
func lexiconOf(language string) *lexicon {
	primary, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(language)), "_", "-"), "-")
	list, ok := functionWords[primary]
	if !ok {
		return nil
	}
	l := &lexicon{parts: make(map[string]partOfSpeech), names: primary != "de"}
	// Where a word is in two lists the one that forbids more counts, so it comes last.
	for _, part := range []struct {
		part  partOfSpeech
		words string
	}{
		{auxiliary, list.auxiliaries},
		{pronoun, list.pronouns},
		{preposition, list.prepositions},
		{conjunction, list.conjunctions},
		{article, list.articles},
	} {
		for word := range strings.FieldsSeq(part.words) {
			l.parts[word] = part.part
		}
	}
	return l
}

// partOf says what part of speech a word is; marks around it do not count.
func (l *lexicon) partOf(word string) partOfSpeech {
	bare := strings.TrimFunc(word, func(r rune) bool { return !isLetter(r) })
	if part, ok := l.parts[strings.ToLower(bare)]; ok {
		return part
	}
	if first, _ := utf8.DecodeRuneInString(bare); l.names && unicode.IsUpper(first) {
		return capital
	}
	return contentWord
}

type wordList struct{ articles, prepositions, conjunctions, pronouns, auxiliaries string }

var functionWords = map[string]wordList{
	"en": {
		articles:     "a an the",
		prepositions: "about above across after against along among around at before behind below beneath beside between beyond by despite down during except for from in inside into near of off on onto out outside over past per since through throughout till to toward towards under until up upon via with within without",
		conjunctions: "and but or nor so yet because although though if unless while whereas when where that which who whose whether than as",
		pronouns:     "i you he she it we they my your his her its our their this these those",
		auxiliaries:  "am is are was were be been being have has had do does did will would shall should can could may might must not don't doesn't didn't won't wouldn't can't couldn't isn't aren't wasn't weren't",
	},
	"nl": {
		articles:     "de het een 't 'n",
		prepositions: "aan achter bij binnen boven buiten door gedurende in langs met na naar naast om onder op over per rond sinds te tegen tijdens tot tussen uit van vanaf via volgens voor voorbij zonder",
		conjunctions: "en maar of want dus omdat doordat hoewel terwijl als wanneer toen dat die wie waar zodat voordat nadat indien",
		pronouns:     "ik jij je u hij zij ze wij we jullie mijn jouw uw zijn haar ons onze hun deze dit",
		auxiliaries:  "ben bent is was waren heb hebt heeft hebben had hadden word wordt worden werd werden zal zult zullen zou zouden kan kunt kunnen kon konden mag mogen moet moeten moest wil willen wilde niet geen",
	},
	"de": {
		articles:     "der die das den dem des ein eine einen einem einer eines",
		prepositions: "an auf aus bei bis durch für gegen hinter in im ins am ans beim mit nach neben ohne seit trotz über um unter von vom vor während wegen zu zum zur zwischen",
		conjunctions: "und aber oder denn sondern weil obwohl wenn als dass daß damit während bevor nachdem ob sobald falls",
		pronouns:     "ich du er sie es wir ihr mein meine dein deine sein seine unser unsere euer eure ihre dieser diese dieses",
		auxiliaries:  "bin bist ist sind seid war waren habe hast hat haben hatte hatten werde wirst wird werden wurde wurden kann können konnte muss müssen musste soll sollen sollte will wollen wollte darf dürfen mag möchte nicht kein keine keinen",
	},
	"fr": {
		articles:     "le la les un une des du au aux",
		prepositions: "à de en dans sur sous avec sans pour par chez contre entre vers depuis pendant avant après devant derrière jusque malgré selon",
		conjunctions: "et ou mais donc or ni car que qui quand comme si lorsque puisque parce quoique dont où",
		pronouns:     "je tu il elle on nous vous ils elles mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet cette ces me te se",
		auxiliaries:  "suis es est sommes êtes sont étais était étaient ai as a avons avez ont avais avait avaient vais vas va allons allez vont peux peut doit ne pas",
	},
	"es": {
		articles:     "el la los las un una unos unas lo al del",
		prepositions: "a ante bajo con contra de desde durante en entre hacia hasta mediante para por según sin sobre tras",
		conjunctions: "y e o u pero sino ni que porque aunque si cuando como mientras pues donde quien cual",
		pronouns:     "yo tú él ella usted nosotros ellos ellas ustedes mi mis tu tus su sus nuestro nuestra este esta estos estas ese esa me te se nos",
		auxiliaries:  "soy eres es somos son era eran fue estoy está están he has ha hemos han había voy vas va vamos van puedo puede no",
	},
	"it": {
		articles:     "il lo la i gli le un uno una del dello della dei degli delle al allo alla ai agli alle nel nella nei nelle dal dalla dai sul sulla sui",
		prepositions: "di a da in con su per tra fra senza sotto sopra dopo prima verso contro durante",
		conjunctions: "e ed o ma però né che perché se quando come mentre anche dove cui",
		pronouns:     "io tu lui lei noi voi loro mio mia tuo tua suo sua nostro nostra questo questa mi ti si ci vi",
		auxiliaries:  "sono sei è siamo siete era erano ho hai ha abbiamo avete hanno aveva posso può deve non",
	},
	"pt": {
		articles:     "o a os as um uma uns umas do da dos das no na nos nas ao aos à às pelo pela pelos pelas",
		prepositions: "de em com sem para por até desde entre sobre sob contra após durante",
		conjunctions: "e ou mas porém nem que porque se quando como enquanto embora pois onde quem",
		pronouns:     "eu tu ele ela você nós eles elas vocês meu minha seu sua nosso nossa este esta esse essa me te", //nolint:misspell // Portuguese.
		auxiliaries:  "sou és é somos são era eram foi estou está estão tenho tem temos têm tinha vou vai vamos vão posso pode não",
	},
	"sv": {
		articles:     "en ett den det de",
		prepositions: "av bakom bland efter framför från för genom hos i innan inom kring med mellan mot om på sedan till trots under ur utan utanför vid under över åt",
		conjunctions: "och men eller för så att som när där om eftersom fastän medan därför innan samt",
		pronouns:     "jag du han hon vi ni min mitt mina din ditt dina hans hennes vår vårt våra er deras denna detta dessa sig",
		auxiliaries:  "är var vara har hade ha ska skall skulle kan kunde vill ville måste får fick blir blev inte",
	},
	"da": {
		articles:     "en et den det de",
		prepositions: "ad af bag blandt efter for foran fra gennem hos i inden indtil med mellem mod om omkring på siden til trods uden under ved over",
		conjunctions: "og men eller for så at som når da hvor hvis fordi selvom mens samt",
		pronouns:     "jeg du han hun vi min mit mine din dit dine hans hendes vores jeres deres denne dette disse sig",
		auxiliaries:  "er var være har havde have skal skulle kan kunne vil ville må måtte bliver blev ikke",
	},
	"no": norwegian, "nb": norwegian, "nn": norwegian,
}

var norwegian = wordList{
	articles:     "en ei et ein eit den det de dei",
	prepositions: "av bak blant etter for foran fra frå gjennom hos i innen med mellom mot om omkring på siden til tross uten under ved over",
	conjunctions: "og men eller for så at som når da hvor kvar hvis fordi selv mens samt",
	pronouns:     "jeg eg du han hun ho vi dere de min mitt mine din ditt dine hans hennes vår vårt våre deres denne dette disse seg",
	auxiliaries:  "er var være har hadde ha skal skulle kan kunne vil ville må måtte blir ble ikke ikkje",
}
