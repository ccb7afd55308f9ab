//! What is on the shelf: the state that the functions' sandboxes never hold, and ask the host for.

use std::sync::Mutex;

use fnhost::{Bytes, Failure};
use serde::{Deserialize, Serialize};

use crate::Problem;

pub(crate) struct Shop(Mutex<Shelf>);

struct Shelf {
    products: Vec<Product>,
    /// How many orders there have been.
    orders: u64,
}

#[derive(Deserialize, Serialize)]
struct Product {
    sku: String,
    name: String,
    about: String,
    cents: u64,
    stock: u64,
}

/// What `purchase` asks for.
#[derive(Deserialize)]
pub(crate) struct Wish {
    sku: String,
    quantity: u64,
}

/// What it then has.
#[derive(Serialize)]
pub(crate) struct Taken {
    order: u64,
    name: String,
    cents: u64,
    left: u64,
}

impl Shop {
    pub(crate) fn open() -> Result<Self, Problem> {
        let products = serde_json::from_str(include_str!("products.json"))?;
        Ok(Self(Mutex::new(Shelf { products, orders: 0 })))
    }

    /// Returns all products as JSON: the host function `shop.products`.
    pub(crate) fn products(&self) -> Result<Bytes, Failure> {
        let shelf = self.0.lock().expect("nobody panics with the shelf");
        let json = serde_json::to_vec(&shelf.products);
        json.map(Bytes::from).map_err(|error| Failure::new("no-json", error.to_string()))
    }

    /// Takes some of a product, or none at all: the host function `shop.take`.
    pub(crate) fn take(&self, wish: &Wish) -> Result<Taken, Failure> {
        let mut shelf = self.0.lock().expect("nobody panics with the shelf");
        let order = shelf.orders + 1;
        let product = shelf.products.iter_mut().find(|product| product.sku == wish.sku).ok_or_else(|| {
            Failure::new("unknown-sku", format!("the shop has no {:?}; see /api/products", wish.sku))
        })?;
        product.stock = product.stock.checked_sub(wish.quantity).ok_or_else(|| product.too_few(wish))?;
        let taken = Taken { order, name: product.name.clone(), cents: product.cents, left: product.stock };
        shelf.orders = order;
        Ok(taken)
    }
}

impl Product {
    fn too_few(&self, wish: &Wish) -> Failure {
        let message = match self.stock {
            0 => format!("{} is sold out", self.name),
            left => format!("only {left} of {} left, not {}", self.name, wish.quantity),
        };
        Failure::new("sold-out", message)
    }
}
