//! Training strategies: which parameters are trained, as users name them.

use std::{fmt, str::FromStr};

use finetune_peft::{Ia3Config, LoraConfig, PeftConfig};
use serde::{Deserialize, Serialize};

/// Which parameters are trained, and how. As text: `full`, `head`, `last:2`, `layers:3,5`,
/// `params:REGEX`, `gradual`, `features`, `bitfit`, `lora`, `ia3`, `contrastive`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Strategy {
    /// Everything.
    #[default]
    Full,
    /// The classifier and the linear layer below it (BERT's pooler, DistilBERT's pre_classifier).
    Head,
    /// The head and this number of last encoder layers.
    Last(usize),
    /// The head and the encoder layers with these numbers, from 0.
    Layers(Vec<usize>),
    /// The parameters whose transformers name matches this regular expression.
    Params(String),
    /// The head first, then one more layer after each interval, starting at the top, and finally
    /// everything (Howard & Ruder 2018).
    Gradual,
    /// Nothing: a new head on the unchanged pretrained encoder.
    Features,
    /// All biases and the head (Ben Zaken et al. 2022).
    BitFit,
    /// A LoRA adapter, and the head saved with it.
    Lora,
    /// An (IA)³ adapter, and the head saved with it.
    Ia3,
    /// Everything, for few labels: the encoder learns from pairs of texts, and a logistic regression on
    /// its embeddings is the head (SetFit, Tunstall et al. 2022).
    Contrastive,
}

/// The notation of strategies, for messages and help.
pub const STRATEGIES: &str = "full, head, last:N, layers:N,N,…, params:REGEX, gradual, features, bitfit, lora, ia3, contrastive";

impl Strategy {
    /// Returns the configuration of the adapter that is trained, if there is one, with peft's defaults
    /// where settings are missing.
    pub fn adapter(
        &self,
        lora: Option<&LoraConfig>,
        ia3: Option<&Ia3Config>,
    ) -> Option<PeftConfig> {
        match self {
            Self::Lora => Some(PeftConfig::Lora(lora.cloned().unwrap_or_default())),
            Self::Ia3 => Some(PeftConfig::Ia3(ia3.cloned().unwrap_or_default())),
            _ => None,
        }
    }

    /// Returns whether the result is an adapter, stored apart from the base model.
    pub fn is_adapter(&self) -> bool {
        matches!(self, Self::Lora | Self::Ia3)
    }

    /// Returns the default learning rate. As recommended by the methods' authors, it is larger if fewer
    /// parameters are trained.
    pub fn default_learning_rate(&self) -> f64 {
        match self {
            Self::Contrastive => 2e-5,
            Self::Full => 5e-5,
            Self::Last(_) | Self::Layers(_) | Self::Params(_) | Self::Gradual => 1e-4,
            Self::Lora => 5e-4,
            Self::Head | Self::Features | Self::BitFit => 1e-3,
            Self::Ia3 => 3e-3,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Head => f.write_str("head"),
            Self::Last(count) => write!(f, "last:{count}"),
            Self::Layers(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(usize::to_string).collect();
                write!(f, "layers:{}", numbers.join(","))
            }
            Self::Params(pattern) => write!(f, "params:{pattern}"),
            Self::Gradual => f.write_str("gradual"),
            Self::Features => f.write_str("features"),
            Self::BitFit => f.write_str("bitfit"),
            Self::Lora => f.write_str("lora"),
            Self::Ia3 => f.write_str("ia3"),
            Self::Contrastive => f.write_str("contrastive"),
        }
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::among(text, STRATEGIES)
    }
}

impl Strategy {
    /// Parses a strategy where errors list those in `expected`, such as [`STRATEGIES`].
    ///
    /// # Errors
    /// Fails if the text is not a strategy; the message says what is expected.
    pub fn among(text: &str, expected: &str) -> Result<Self, String> {
        let unknown = || {
            Err(format!(
                "unknown strategy \"{text}\"; expected one of: {expected}"
            ))
        };
        let number = |number: &str| {
            let number = number.trim();
            number.parse::<usize>().map_err(|_| {
                format!("strategy \"{text}\": \"{number}\" is not a number of layers or of a layer")
            })
        };
        match text.split_once(':') {
            None => match text {
                "full" => Ok(Self::Full),
                "head" => Ok(Self::Head),
                "gradual" => Ok(Self::Gradual),
                "features" => Ok(Self::Features),
                "bitfit" => Ok(Self::BitFit),
                "lora" => Ok(Self::Lora),
                "ia3" => Ok(Self::Ia3),
                "contrastive" => Ok(Self::Contrastive),
                "auto" => Err(format!(
                    "strategy \"auto\" is chosen by the labelled rows of `finetune train`; name one here: {expected}"
                )),
                _ => unknown(),
            },
            Some(("last", count)) => Ok(Self::Last(number(count)?)),
            Some(("layers", numbers)) => {
                let numbers = numbers.split(',').map(number);
                Ok(Self::Layers(numbers.collect::<Result<_, _>>()?))
            }
            Some(("params", pattern)) => Ok(Self::Params(pattern.into())),
            Some(_) => unknown(),
        }
    }
}

impl TryFrom<String> for Strategy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Strategy> for String {
    fn from(strategy: Strategy) -> Self {
        strategy.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in [
            "full",
            "head",
            "last:2",
            "layers:3,5",
            "params:attention\\..*:?",
            "gradual",
            "features",
            "bitfit",
            "lora",
            "ia3",
            "contrastive",
        ] {
            assert_eq!(text.parse::<Strategy>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let error = "lats:2".parse::<Strategy>().unwrap_err();
        assert!(error.contains("last:N"), "{error}");
        let error = "auto".parse::<Strategy>().unwrap_err();
        assert!(error.contains("finetune train"), "{error}");
        let error = "layers:1,x".parse::<Strategy>().unwrap_err();
        assert!(error.contains("\"x\""), "{error}");
    }
}
