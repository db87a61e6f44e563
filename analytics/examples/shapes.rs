//! Makes `src/sqlite/shapes.dict`, the dictionary bodies are compressed with, from invented requests and
//! answers in the shapes that OpenAI-compatible providers use.
//!
//! Run it as `cargo run -p analytics --example shapes -- OUT`, and give the result a number of its own in
//! `sqlite/bodies.rs`: files keep the dictionaries they were written with. The same build makes the same bytes.

use std::io;

/// Bytes of the dictionary. More hardly compresses better, and every connection holds a copy.
const DICTIONARY_BYTES: usize = 8 * 1024;
/// Calls to learn from.
const CALLS: usize = 3_000;

const MODELS: &[&str] = &[
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4o-mini-2024-07-18",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-5",
    "gpt-5-mini",
    "o3-mini",
    "claude-sonnet-4-5",
    "gemini-2.5-flash",
    "mistral-large-latest",
    "deepseek-chat",
    "llama-3.3-70b-versatile",
    "openai/gpt-4o-mini",
    "text-embedding-3-small",
];

const SENTENCES: &[&str] = &[
    "You are a helpful assistant.",
    "You are a customer support agent for an online shop. Be polite, brief and exact.",
    "You are an expert software engineer. Answer with code and a short explanation.",
    "Answer only with JSON that follows the schema. Do not add any other text.",
    "Use the following context to answer the question. If the answer is not in the context, say that you do not know.",
    "Summarize the following text in three sentences.",
    "Classify the message as one of: billing, shipping, returns, technical, other.",
    "Translate the following text into German.",
    "What is your refund policy?",
    "Where is my order? It should have been delivered last week.",
    "I would like to cancel my subscription and get my money back.",
    "Please help me write an email to a customer who is unhappy with the product.",
    "Can you explain how this function works and why it fails with an error?",
    "Here is the user's question, followed by the documents that were found for it.",
    "Thank you for reaching out. I'm sorry to hear that you had trouble with your order.",
    "You can return any item within 30 days of delivery for a full refund.",
    "Sure! Here's a step-by-step guide to get you started:",
    "I'd be happy to help you with that. Could you please provide your order number?",
    "Based on the information provided, the most likely cause is that the request times out before the server answers.",
    "The result shows that the number of users has increased by more than 20 percent over the last year.",
    "Let me know if you have any other questions, and I will do my best to answer them.",
    "First, make sure that you have the latest version installed. Then open the settings and choose your account.",
    "There are several ways to do this, and which one is best depends on your use case.",
    "It is important to note that this does not apply to items that were bought on sale.",
    "In this example, we define a function that takes a list of values and returns their average.",
    "The capital of France is Paris, which is also its largest city.",
    "Your account has been updated, and the changes will take effect with the next invoice.",
    "As an AI language model, I don't have access to real-time data.",
    "**Step 1:** Check the status of your payment.\\n\\n**Step 2:** Contact our team.",
    "- Free shipping on orders over $50\\n- Returns within 30 days\\n- Support by phone and email\\n",
    "```python\\nimport json\\n\\ndef main():\\n    with open(\\\"data.json\\\") as file:\\n        data = json.load(file)\\n    return data\\n```",
    "1. Open the app.\\n2. Go to your profile.\\n3. Select \\\"Orders\\\" and find the one you want to return.\\n",
    "Gerne helfe ich Ihnen weiter. Bitte nennen Sie mir Ihre Bestellnummer, damit ich den Status prüfen kann.",
    "Gracias por su mensaje. Su pedido fue enviado ayer y debería llegar dentro de tres días.",
    "Merci pour votre message. Votre commande a été expédiée et devrait arriver dans les prochains jours.",
    "ご注文の状況を確認いたします。注文番号をお知らせください。",
    "您好，请提供您的订单号，我会尽快为您查询。",
];

/// Words to make texts of; the first are the most common.
const WORDS: &str = "the of and to a in is you that it he was for on are with as I his they be at one have this from or had by \
    hot but some what there we can out other were all your when up use word how said an each she which do \
    their time if will way about many then them would write like so these her long make thing see him two has \
    look more day could go come did my sound no most number who over know water than call first people may \
    down side been now find any new work part take get place made live where after back little only round man \
    year came show every good me give our under name very through just form much great think say help low \
    line before turn cause same mean differ move right boy old too does tell sentence set three want air well \
    also play small end put home read hand port large spell add even land here must big high such follow act \
    why ask men change went light kind off need house picture try us again animal point mother world near \
    build self earth father head stand own page should country found answer school grow study still learn \
    plant cover food sun four thought let keep eye never last door between city tree cross since hard start \
    might story saw far sea draw left late run don't while press close night real life few stop open seem \
    together next white children begin got walk example ease paper often always music those both mark book \
    letter until mile river car feet care second group carry took rain eat room friend began idea fish \
    mountain north once base hear horse cut sure watch color face wood main enough plain girl usual young \
    ready above ever red list though feel talk bird soon body dog family direct pose leave song measure state \
    product black short numeral class wind question happen complete ship area half rock order fire south \
    problem piece told knew pass farm top whole king size heard best hour better true during hundred remember \
    step early hold west ground interest reach fast five sing listen six table travel less morning ten simple \
    several vowel toward war lay against pattern slow center love person money serve appear road map science \
    rule govern pull cold notice voice fall power town fine certain fly unit lead cry dark machine note wait \
    plan figure star box noun field rest correct able pound done beauty drive stood contain front teach week \
    final gave green oh quick develop sleep warm free minute strong special mind behind clear tail produce \
    fact street inch lot nothing course stay wheel full force blue object decide surface deep moon island \
    foot yet busy test record boat common gold possible plane age dry wonder laugh thousand ago ran check \
    game shape yes miss brought heat snow bed bring sit perhaps fill east weight language among user account \
    customer email address password payment invoice refund policy shipping delivery return support request \
    response server error message file code function value data string type model system content information \
    service price project company team available include provide required please thank application process \
    result output input default version update create delete configuration environment database query index \
    performance security access token key session description title summary category analysis report review \
    market business strategy marketing experience quality health history education research development \
    government management technology design software engineer";

/// Requests and answers. `@text` is a few sentences, `@short` one, `@id` and `@n` invented ids and numbers.
const TALKS: &[(&str, &str)] = &[
    (
        r#"{"model":"@model","messages":[{"role":"system","content":"@text"},{"role":"user","content":"@text"}]}"#,
        CHAT_ANSWER,
    ),
    (
        r#"{"messages": [{"role": "system", "content": "@text"}, {"role": "user", "content": "@short"}, {"role": "assistant", "content": "@text"}, {"role": "user", "content": "@short"}], "model": "@model", "temperature": 0.2, "max_tokens": @n, "stream": true, "stream_options": {"include_usage": true}}"#,
        FOLDED_ANSWER,
    ),
    (
        r#"{"model":"prompt:support/reply@production","prompt_variables":{"name":"@short","question":"@short"},"user":"user-@n"}"#,
        CHAT_ANSWER,
    ),
    (
        r#"{"model":"@model","messages":[{"role":"developer","content":"@text"},{"role":"user","content":[{"type":"text","text":"@text"},{"type":"image_url","image_url":{"url":"weir-media:image/png;bytes=@n;sha256=@id@id","detail":"auto"}}]}],"max_completion_tokens":@n,"top_p":1,"frequency_penalty":0,"presence_penalty":0,"seed":@n}"#,
        GROQ_ANSWER,
    ),
    (
        r#"{"model":"@model","messages":[{"role":"system","content":"@short"},{"role":"user","content":"@short"}],"tools":[{"type":"function","function":{"name":"get_order_status","description":"@short","parameters":{"type":"object","properties":{"order_id":{"type":"string","description":"@short"},"limit":{"type":"integer"}},"required":["order_id"],"additionalProperties":false},"strict":true}}],"tool_choice":"auto","parallel_tool_calls":false}"#,
        TOOL_ANSWER,
    ),
    (
        r#"{"model":"@model","messages":[{"role":"user","content":"@text"}],"response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"type":"object","properties":{"category":{"type":"string","enum":["billing","shipping"]},"confidence":{"type":"number"},"items":{"type":"array","items":{"type":"string"}}},"required":["category","confidence","items"],"additionalProperties":false}}}}"#,
        FOLDED_ANSWER,
    ),
    (
        r#"{"model":"@model","messages":[{"role":"user","content":"@short"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_@id","type":"function","function":{"name":"search","arguments":"{\"query\":\"@short\"}"}}]},{"role":"tool","tool_call_id":"call_@id","content":"@text"}],"metadata":{"conversation_id":"@id","environment":"production"},"store":false}"#,
        ROUTED_ANSWER,
    ),
    (
        r#"{"model":"@model","instructions":"@text","input":[{"role":"user","content":[{"type":"input_text","text":"@text"}]}],"prompt":{"id":"pmpt_@id","version":"2","variables":{"name":"@short"}},"stream":true}"#,
        RESPONSE,
    ),
    (
        r#"{"model":"@model","input":"@text","reasoning":{"effort":"low"},"text":{"format":{"type":"text"},"verbosity":"medium"},"max_output_tokens":@n,"previous_response_id":"resp_@id"}"#,
        RESPONSE,
    ),
    (r#"{"input":["@text","@text"],"model":"@model","encoding_format":"float","dimensions":@n}"#, EMBEDDING),
    (r#"{"model":"@model","messages":[{"role":"user","content":"@short"}]}"#, ERROR),
];

const CHAT_ANSWER: &str = r#"{
  "id": "chatcmpl-@id",
  "object": "chat.completion",
  "created": 17@n,
  "model": "@model",
  "choices": [
    {
      "index": 0,
      "message": {
        "role": "assistant",
        "content": "@text",
        "refusal": null,
        "annotations": []
      },
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": @n,
    "completion_tokens": @n,
    "total_tokens": @n,
    "prompt_tokens_details": {
      "cached_tokens": 0,
      "audio_tokens": 0
    },
    "completion_tokens_details": {
      "reasoning_tokens": 0,
      "audio_tokens": 0,
      "accepted_prediction_tokens": 0,
      "rejected_prediction_tokens": 0
    }
  },
  "service_tier": "default",
  "system_fingerprint": "fp_@id"
}
"#;

const FOLDED_ANSWER: &str = r#"{"id":"chatcmpl-@id","object":"chat.completion","created":17@n,"model":"@model","service_tier":"default","system_fingerprint":"fp_@id","choices":[{"index":0,"message":{"role":"assistant","content":"@text","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":@n,"completion_tokens":@n,"total_tokens":@n,"prompt_tokens_details":{"cached_tokens":@n,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":@n,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}"#;

const TOOL_ANSWER: &str = r#"{"id":"chatcmpl-@id","object":"chat.completion","created":17@n,"model":"@model","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_@id","type":"function","function":{"name":"get_order_status","arguments":"{\"order_id\":\"@n\"}"}}],"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":@n,"completion_tokens":@n,"total_tokens":@n},"service_tier":"default","system_fingerprint":null}"#;

const GROQ_ANSWER: &str = r#"{"id":"chatcmpl-@id","object":"chat.completion","created":17@n,"model":"@model","choices":[{"index":0,"message":{"role":"assistant","content":"@text"},"logprobs":null,"finish_reason":"length"}],"usage":{"queue_time":0.0@n,"prompt_tokens":@n,"prompt_time":0.0@n,"completion_tokens":@n,"completion_time":0.@n,"total_tokens":@n,"total_time":0.@n},"usage_breakdown":null,"system_fingerprint":"fp_@id","x_groq":{"id":"req_@id"}}"#;

const ROUTED_ANSWER: &str = r#"{"id":"gen-@id","provider":"OpenAI","model":"@model","object":"chat.completion","created":17@n,"choices":[{"logprobs":null,"finish_reason":"stop","native_finish_reason":"stop","index":0,"message":{"role":"assistant","content":"@text","refusal":null,"reasoning":null,"reasoning_content":"@text"}}],"usage":{"prompt_tokens":@n,"completion_tokens":@n,"total_tokens":@n,"cost":0.000@n,"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":@n}}"#;

const RESPONSE: &str = r#"{"id":"resp_@id","object":"response","created_at":17@n,"status":"completed","background":false,"error":null,"incomplete_details":null,"instructions":"@short","max_output_tokens":null,"max_tool_calls":null,"model":"@model","output":[{"id":"rs_@id","type":"reasoning","summary":[]},{"id":"msg_@id","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"@text"}],"role":"assistant"}],"parallel_tool_calls":true,"previous_response_id":null,"prompt":{"id":"support/reply","variables":{"name":"@short"},"version":"@n"},"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":{"input_tokens":@n,"input_tokens_details":{"cached_tokens":0},"output_tokens":@n,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":@n},"user":null,"metadata":{}}"#;

const EMBEDDING: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[-0.0@n,0.0@n,0.0@n,-0.0@n,0.0@n,-0.0@n,-0.0@n,0.0@n]}],"model":"@model","usage":{"prompt_tokens":@n,"total_tokens":@n}}"#;

const ERROR: &str = r#"{"error":{"message":"@short","type":"invalid_request_error","param":"messages","code":"invalid_request"}}"#;

fn main() -> io::Result<()> {
    let out = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("say where the dictionary goes"))?;
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let calls: Vec<_> = (0..CALLS).map(|_| invent(&mut chance)).collect();
    std::fs::write(out, zstd::dict::from_samples(&calls, DICTIONARY_BYTES)?)
}

/// One call's bodies in the form the store compresses: three lengths, request, answer, none upstream.
fn invent(chance: &mut Chance) -> Vec<u8> {
    let (request, answer) = chance.pick(TALKS);
    let (request, answer) = (fill(request, chance), fill(answer, chance));
    let mut call = Vec::new();
    for length in [request.len() as u32, answer.len() as u32, u32::MAX] {
        call.extend_from_slice(&length.to_le_bytes());
    }
    call.extend_from_slice(request.as_bytes());
    call.extend_from_slice(answer.as_bytes());
    call
}

fn fill(shape: &str, chance: &mut Chance) -> String {
    let mut parts = shape.split('@');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(part.len());
        let (word, rest) = part.split_at(end);
        match word {
            "text" => filled.push_str(&text(chance)),
            "short" => filled.push_str(chance.pick::<&str>(SENTENCES)),
            "model" => filled.push_str(chance.pick::<&str>(MODELS)),
            "id" => filled.push_str(&chance.id()),
            _ => filled.push_str(&(chance.next() % 10_000).to_string()),
        }
        filled.push_str(rest);
    }
    filled
}

/// Sentences, now and then one that many people say and mostly new ones: what compression learns of letters
/// should come from text, not from repetition.
fn text(chance: &mut Chance) -> String {
    let words: Vec<_> = WORDS.split(' ').collect();
    let mut text = String::new();
    for _ in 0..=chance.next() % 8 {
        if chance.next().is_multiple_of(4) {
            text.push_str(chance.pick::<&str>(SENTENCES));
        } else {
            text.push_str(&sentence(&words, chance));
        }
        text.push_str(if chance.next().is_multiple_of(5) { "\\n\\n" } else { " " });
    }
    text.trim_end().to_owned()
}

fn sentence(words: &[&str], chance: &mut Chance) -> String {
    let mut sentence = String::new();
    for n in 0..4 + chance.next() % 16 {
        // The smaller of two draws: common words come more often.
        let drawn = (0..2).map(|_| chance.next() % words.len() as u64).min().unwrap_or_default();
        let word = words[drawn as usize];
        let capital = word.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(word.chars().skip(1));
        match n {
            0 => sentence.extend(capital),
            _ if chance.next().is_multiple_of(30) => sentence.push_str(" 24"),
            _ if chance.next().is_multiple_of(12) => sentence.extend([", ", word]),
            _ => sentence.extend([" ", word]),
        }
    }
    sentence.push(if chance.next().is_multiple_of(8) { '?' } else { '.' });
    sentence
}

/// The same numbers every time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn id(&mut self) -> String {
        format!("{:016x}{:08x}", self.next(), self.next() >> 32)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[(self.next() % from.len() as u64) as usize]
    }
}
