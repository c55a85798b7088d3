//! A reader for the pickles in which `torch.save` stores a state dict.
//!
//! A pickle is a program. This reader knows only the few instructions and names that rebuild tensors; it
//! executes nothing else, and its errors name whatever it refuses.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use super::raw_tensor::Kind;

/// A tensor in one of the file's storages.
#[derive(Clone, Debug)]
pub(crate) struct PickledTensor {
    pub(crate) storage: Rc<str>,
    pub(crate) kind: Kind,
    /// Number of elements in the storage before the tensor's first.
    pub(crate) offset: u64,
    pub(crate) shape: Vec<u64>,
    pub(crate) strides: Vec<u64>,
}

/// The index of a value in [`Machine::values`]. Values are referred to by index because lists and dicts
/// can change after they were pushed or memoized.
type Id = usize;

#[derive(Clone, Debug)]
enum Value {
    None,
    /// A number whose value is never needed: a float or a very long integer.
    Number,
    Bool,
    Int(i64),
    Text(Rc<str>),
    Sequence(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Name(Name),
    Storage {
        key: Rc<str>,
        kind: Kind,
    },
    Tensor(Rc<PickledTensor>),
}

/// The global names that may occur.
#[derive(Clone, Debug)]
enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Size,
    Storage(Kind),
}

impl Name {
    fn of(module: &str, name: &str) -> Result<Self, String> {
        let other = |size| Kind::Other(name.trim_end_matches("Storage").to_uppercase(), size);
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "Size") => Self::Size,
            ("torch" | "torch.storage", "FloatStorage") => Self::Storage(Kind::F32),
            ("torch" | "torch.storage", "DoubleStorage") => Self::Storage(Kind::F64),
            ("torch" | "torch.storage", "HalfStorage") => Self::Storage(Kind::F16),
            ("torch" | "torch.storage", "BFloat16Storage") => Self::Storage(Kind::Bf16),
            ("torch" | "torch.storage", "LongStorage") => Self::Storage(other(8)),
            ("torch" | "torch.storage", "IntStorage") => Self::Storage(other(4)),
            ("torch" | "torch.storage", "ShortStorage") => Self::Storage(other(2)),
            ("torch" | "torch.storage", "CharStorage" | "ByteStorage" | "BoolStorage") => {
                Self::Storage(other(1))
            }
            _ => {
                return Err(format!(
                    "it names {module}.{name}, which is not part of rebuilding weights; nothing of it was executed. Save the weights alone with `torch.save(model.state_dict(), …)`, or as safetensors"
                ));
            }
        })
    }
}

/// Tensors with their names. Repeated tensors are shared, so that a small pickle cannot make us allocate
/// much memory.
pub(crate) type Tensors = Vec<(String, Rc<PickledTensor>)>;

/// Reads a pickled state dict; returns its tensors in order and the offset at which the pickle ends.
///
/// # Errors
/// Fails if the pickle is damaged or is not a state dict of tensors alone.
pub(crate) fn state_dict(bytes: &[u8]) -> Result<(Tensors, usize), String> {
    let mut machine = Machine::new(bytes);
    let top = machine.run()?;
    let Value::Dict(entries) = &machine.values[top] else {
        return Err("it holds no dict of weights by name; save `model.state_dict()`".into());
    };
    let mut tensors = Vec::new();
    let mut names = HashSet::new();
    for (key, value) in entries {
        let Value::Text(name) = &machine.values[*key] else {
            return Err("it has a key that is not a string; save `model.state_dict()`".into());
        };
        let Value::Tensor(tensor) = &machine.values[*value] else {
            return Err(format!(
                "its \"{name}\" is not a tensor; expected a state dict alone, as save_pretrained writes it: save `model.state_dict()`"
            ));
        };
        if !names.insert(name) {
            return Err(format!("it has the tensor {name} twice"));
        }
        tensors.push((name.to_string(), Rc::clone(tensor)));
    }
    Ok((tensors, machine.at))
}

/// Skips a pickle whose content is not needed; returns the offset at which it ends.
///
/// # Errors
/// Fails if the pickle is damaged.
pub(crate) fn skip(bytes: &[u8]) -> Result<usize, String> {
    let mut machine = Machine::new(bytes);
    machine.run()?;
    Ok(machine.at)
}

/// Reads a pickled list of strings; returns it with the offset at which the pickle ends.
///
/// # Errors
/// Fails if the pickle is damaged or is not a list of strings.
pub(crate) fn texts(bytes: &[u8]) -> Result<(Vec<Rc<str>>, usize), String> {
    let mut machine = Machine::new(bytes);
    let top = machine.run()?;
    let list = machine.sequence(top)?;
    let texts = list.iter().map(|&id| machine.text(id));
    Ok((texts.collect::<Result<_, _>>()?, machine.at))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

const CUT: &str = "its pickle is cut short";
const ODD: &str = "its pickle is damaged";

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// Runs the program and returns the index of its result. Each instruction is at least a byte long
    /// and creates at most one value, which bounds memory by the pickle's length.
    fn run(&mut self) -> Result<Id, String> {
        loop {
            match self.byte()? {
                // PROTO, FRAME
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'.' => return self.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.push(Value::None),
                // NEWTRUE, NEWFALSE
                0x88 | 0x89 => self.push(Value::Bool),
                b'K' => {
                    let value = self.byte()?;
                    self.push(Value::Int(value.into()));
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.array()?);
                    self.push(Value::Int(value.into()));
                }
                b'J' => {
                    let value = i32::from_le_bytes(self.array()?);
                    self.push(Value::Int(value.into()));
                }
                // LONG1
                0x8a => {
                    let length = self.byte()?;
                    let bytes = self.take(length.into())?;
                    let value = long(bytes);
                    self.push(value);
                }
                b'G' => {
                    self.take(8)?;
                    self.push(Value::Number);
                }
                // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8, and the byte strings of protocol 2
                b'X' | b'T' => self.push_text(4)?,
                0x8c | b'U' => self.push_text(1)?,
                0x8d => self.push_text(8)?,
                b')' | b']' => self.push(Value::Sequence(Vec::new())),
                b'}' => self.push(Value::Dict(Vec::new())),
                b't' | b'l' => {
                    let items = self.marked()?;
                    self.push(Value::Sequence(items));
                }
                0x85..=0x87 => {
                    let count = usize::from(self.bytes[self.at - 1] - 0x84);
                    let start = self.stack.len().checked_sub(count).ok_or(ODD)?;
                    let items = self.stack.split_off(start);
                    self.push(Value::Sequence(items));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.top_sequence()?.push(item);
                }
                b'e' => {
                    let items = self.marked()?;
                    self.top_sequence()?.extend(items);
                }
                b'd' => {
                    let items = self.marked()?;
                    self.push(Value::Dict(pairs(&items)?));
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.top_dict()?.push((key, value));
                }
                b'u' => {
                    let items = pairs(&self.marked()?)?;
                    self.top_dict()?.extend(items);
                }
                b'q' => {
                    let name = self.byte()?;
                    self.remember(name.into())?;
                }
                b'r' => {
                    let name = u32::from_le_bytes(self.array()?);
                    self.remember(name)?;
                }
                // MEMOIZE
                0x94 => {
                    let name = u32::try_from(self.memo.len()).map_err(|_| ODD)?;
                    self.remember(name)?;
                }
                b'h' => {
                    let name = self.byte()?;
                    self.recall(name.into())?;
                }
                b'j' => {
                    let name = u32::from_le_bytes(self.array()?);
                    self.recall(name)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    let name = Name::of(module, name)?;
                    self.push(Value::Name(name));
                }
                // STACK_GLOBAL
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let name = Name::of(&self.text(module)?, &self.text(name)?)?;
                    self.push(Value::Name(name));
                }
                b'Q' => {
                    let id = self.pop()?;
                    let storage = self.storage(id)?;
                    self.push(storage);
                }
                // REDUCE, NEWOBJ
                b'R' | 0x81 => {
                    let (arguments, name) = (self.pop()?, self.pop()?);
                    self.call(name, arguments)?;
                }
                // BUILD: the attributes of an ordered dict (`_metadata`), which are ignored
                b'b' => {
                    self.pop()?;
                    self.top_dict()?;
                }
                b'0' => drop(self.pop()?),
                other => {
                    return Err(format!(
                        "its pickle has the instruction 0x{other:02x}, which rebuilding weights does not need; nothing of it was executed"
                    ));
                }
            }
        }
    }

    fn call(&mut self, name: Id, arguments: Id) -> Result<(), String> {
        let arguments = self.short_sequence(arguments)?;
        let Value::Name(name) = self.values[name].clone() else {
            return Err(
                "its pickle calls something that is not a name; nothing of it was executed".into(),
            );
        };
        match (name, &arguments[..]) {
            (Name::OrderedDict, []) => self.push(Value::Dict(Vec::new())),
            (Name::Size, [sizes]) => {
                let sizes = self.short_sequence(*sizes)?;
                self.push(Value::Sequence(sizes));
            }
            (Name::RebuildParameter, [tensor, ..]) => {
                let tensor = self.values[*tensor].clone();
                if !matches!(tensor, Value::Tensor(_)) {
                    return Err(ODD.into());
                }
                self.push(tensor);
            }
            (Name::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                let Value::Storage { key, kind } = self.values[*storage].clone() else {
                    return Err(ODD.into());
                };
                let tensor = PickledTensor {
                    storage: key,
                    kind,
                    offset: self.natural(*offset)?,
                    shape: self.naturals(*shape)?,
                    strides: self.naturals(*strides)?,
                };
                if tensor.shape.len() != tensor.strides.len() {
                    return Err(ODD.into());
                }
                self.push(Value::Tensor(Rc::new(tensor)));
            }
            _ => return Err(ODD.into()),
        }
        Ok(())
    }

    /// Decodes a reference to a storage, `('storage', torch.FloatStorage, '0', 'cpu', 1024)`; in old
    /// files a `None` follows.
    fn storage(&self, id: Id) -> Result<Value, String> {
        let (what, kind, key) = match self.sequence(id)? {
            [what, kind, key, _, _] => (what, kind, key),
            [what, kind, key, _, _, view] if matches!(self.values[*view], Value::None) => {
                (what, kind, key)
            }
            _ => return Err(ODD.into()),
        };
        if &*self.text(*what)? != "storage" {
            return Err(ODD.into());
        }
        let Value::Name(Name::Storage(kind)) = &self.values[*kind] else {
            return Err(ODD.into());
        };
        Ok(Value::Storage {
            key: self.text(*key)?,
            kind: kind.clone(),
        })
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.take(N)?;
        Ok(std::array::from_fn(|i| bytes[i]))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let taken = self.bytes[self.at..].get(..count).ok_or(CUT)?;
        self.at += count;
        Ok(taken)
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(CUT)?;
        let line = self.take(length)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| ODD.into())
    }

    fn push_text(&mut self, bytes_of_length: usize) -> Result<(), String> {
        let length = self.take(bytes_of_length)?;
        let length = length
            .iter()
            .rev()
            .fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        let text = self.take(usize::try_from(length).map_err(|_| CUT)?)?;
        let text = std::str::from_utf8(text).map_err(|_| ODD)?;
        self.push(Value::Text(text.into()));
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > floor {
            true => self.stack.pop().ok_or_else(|| ODD.into()),
            false => Err(ODD.into()),
        }
    }

    /// Pops the last mark and the items above it.
    fn marked(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or(ODD)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(|| ODD.into())
    }

    fn top_sequence(&mut self) -> Result<&mut Vec<Id>, String> {
        let top = self.top()?;
        match &mut self.values[top] {
            Value::Sequence(items) => Ok(items),
            _ => Err(ODD.into()),
        }
    }

    fn top_dict(&mut self) -> Result<&mut Vec<(Id, Id)>, String> {
        let top = self.top()?;
        match &mut self.values[top] {
            Value::Dict(items) => Ok(items),
            _ => Err(ODD.into()),
        }
    }

    fn remember(&mut self, name: u32) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(name, top);
        Ok(())
    }

    fn recall(&mut self, name: u32) -> Result<(), String> {
        let id = self.memo.get(&name).ok_or(ODD)?;
        self.stack.push(*id);
        Ok(())
    }

    fn sequence(&self, id: Id) -> Result<&[Id], String> {
        match &self.values[id] {
            Value::Sequence(items) => Ok(items),
            _ => Err(ODD.into()),
        }
    }

    /// Returns a sequence that is as short as arguments and shapes are.
    fn short_sequence(&self, id: Id) -> Result<Vec<Id>, String> {
        const LONGEST: usize = 8;
        let items = self.sequence(id)?;
        match items.len() <= LONGEST {
            true => Ok(items.to_vec()),
            false => Err(ODD.into()),
        }
    }

    fn text(&self, id: Id) -> Result<Rc<str>, String> {
        match &self.values[id] {
            Value::Text(text) => Ok(Rc::clone(text)),
            _ => Err(ODD.into()),
        }
    }

    fn natural(&self, id: Id) -> Result<u64, String> {
        match &self.values[id] {
            Value::Int(value) => u64::try_from(*value).map_err(|_| ODD.into()),
            _ => Err(ODD.into()),
        }
    }

    fn naturals(&self, id: Id) -> Result<Vec<u64>, String> {
        let items = self.short_sequence(id)?.into_iter();
        items.map(|id| self.natural(id)).collect()
    }
}

/// Decodes a little-endian integer in two's complement, if it fits into 64 bits.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Number;
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1 } else { 0 };
    let value = bytes
        .iter()
        .rev()
        .fold(start, |sum: i64, &byte| sum << 8 | i64::from(byte));
    Value::Int(value)
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    match rest.is_empty() {
        true => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        false => Err(ODD.into()),
    }
}
